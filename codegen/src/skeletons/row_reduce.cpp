// row_reduce: softmax, normalisations, sums, means, extrema, losses - everything that reduces rows,
// with the pointwise work before and after it inlined.

#include "skeletons/row_forms.h"
#include "skeletons/row_program.h"

namespace kw::codegen {
namespace {

const std::vector<const RowForm*>& forms_of(RowLayout layout) {
  return layout == RowLayout::AlongRow ? along_row_forms() : across_rows_forms();
}

class RowReduceSkeleton final : public Skeleton {
 public:
  std::string_view name() const override { return "row_reduce@2"; }

  std::vector<Offer> match(Program& program, const Region& region,
                           const Target& target) const override {
    const auto rows = row_program(program, region);
    if (!rows || (rows->mapped.empty() && rows->single.empty())) return {};
    const RowContext context{program, region, *rows, layout_of(program, *rows), target};
    std::vector<Offer> offers;
    for (const RowForm* form : forms_of(context.layout)) {
      if (const auto cost = form->cost(context)) {
        offers.push_back({std::string(form->name()), *cost});
      }
    }
    return offers;
  }

  ParameterSpace space(Program& program, const Region& region, std::string_view form,
                       const Target& target) const override {
    const auto rows = row_program(program, region);
    if (!rows) return {};
    const RowContext context{program, region, *rows, layout_of(program, *rows), target};
    const RowForm* found = find(context.layout, form);
    return found != nullptr ? found->space(context) : ParameterSpace{};
  }

  Result<Fragment> emit(Program& program, const Region& region, std::string_view form,
                        const Config& config, const EmitContext& emit) const override {
    const auto rows = row_program(program, region);
    if (!rows) return fail(Errc::Internal, "row_reduce does not match this region any more");
    const RowContext context{program, region, *rows, layout_of(program, *rows), emit.target};
    const RowForm* found = find(context.layout, form);
    if (found == nullptr)
      return fail(Errc::InvalidArgument, "row_reduce has no form '{}' here", form);
    return found->emit(context, config, emit);
  }

 private:
  static const RowForm* find(RowLayout layout, std::string_view name) {
    for (const RowForm* form : forms_of(layout)) {
      if (form->name() == name) return form;
    }
    return nullptr;
  }
};

}  // namespace

const Skeleton& row_reduce_skeleton() {
  static const RowReduceSkeleton skeleton;
  return skeleton;
}

}  // namespace kw::codegen
