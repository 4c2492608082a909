// contraction: matrix products with fused operands and epilogue, in whichever form is fastest.

#include "skeletons/contraction_forms.h"
#include "skeletons/image_site.h"

namespace kw::codegen {
namespace {

class ContractionSkeleton final : public Skeleton {
 public:
  std::string_view name() const override { return "contraction@2"; }

  std::vector<Offer> match(Program& program, const Region& region,
                           const Target& target) const override {
    // Bit-exact tasks (integer products) keep the order of the plain loops.
    if (program.policy.contraction == PolicyClass::Exact) return {};
    const auto site = contraction_site(program, region);
    if (!site) return {};
    const ContractionForms at{program, region, *site, target};
    std::vector<Offer> offers;
    if (const auto cost = fp16x3_cost(at)) offers.push_back({"fp16x3", *cost});
    bool gathered = false;  // by a form that finds pixels faster than element by element
    if (const auto image = image_site(program, region)) {
      const auto cost = image_cost({program, region, image->site, target}, *image);
      if (cost) offers.push_back({"image", *cost});
      gathered = cost && image->taps > 1;
    }
    if (const auto image = image_site(program, region, ImageTerms::One)) {
      const auto cost = image_tf32_cost({program, region, image->site, target}, *image);
      if (cost) offers.push_back({"image_tf32", *cost});
      gathered = gathered || cost;
    }
    const auto direct = gathered ? std::nullopt : direct_cost(at);
    if (direct) offers.push_back({"direct", *direct});
    if (const auto cost = decode_cost(at)) offers.push_back({"decode", *cost});
    if (const auto cost = gemv_cost(at)) offers.push_back({"gemv", *cost});
    if (const auto cost = ffma_cost(at)) offers.push_back({"ffma", *cost});
    return offers;
  }

  ParameterSpace space(Program& program, const Region& region, std::string_view form,
                       const Target& target) const override {
    if (form == "image") {
      const auto image = image_site(program, region);
      if (!image) return {};
      return image_space({program, region, image->site, target}, *image);
    }
    if (form == "image_tf32") {
      const auto image = image_site(program, region, ImageTerms::One);
      if (!image) return {};
      return image_tf32_space({program, region, image->site, target}, *image);
    }
    const auto site = contraction_site(program, region);
    if (!site) return {};
    const ContractionForms at{program, region, *site, target};
    if (form == "fp16x3") return fp16x3_space(at);
    if (form == "direct") return direct_space(at);
    if (form == "decode") return decode_space(at);
    if (form == "gemv") return gemv_space(at);
    return ffma_space(at);
  }

  Result<Fragment> emit(Program& program, const Region& region, std::string_view form,
                        const Config& config, const EmitContext& context) const override {
    if (form == "image") {
      const auto image = image_site(program, region);
      if (!image) return fail(Errc::Internal, "contraction: not the region that was offered");
      return emit_image({program, region, image->site, context.target}, *image, config, context);
    }
    if (form == "image_tf32") {
      const auto image = image_site(program, region, ImageTerms::One);
      if (!image) return fail(Errc::Internal, "contraction: not the region that was offered");
      return emit_image_tf32({program, region, image->site, context.target}, *image, config,
                             context);
    }
    const auto site = contraction_site(program, region);
    if (!site) return fail(Errc::Internal, "contraction: not the region that was offered");
    const ContractionForms at{program, region, *site, context.target};
    Fragment fragment = form == "fp16x3"   ? emit_fp16x3(at, config, context)
                        : form == "direct" ? emit_direct(at, config, context)
                        : form == "decode" ? emit_decode(at, config, context)
                        : form == "gemv"   ? emit_gemv(at, config, context)
                                           : emit_ffma(at, config, context);
    note_formats(program, {site->a.value, site->b.value, site->epilogue}, fragment);
    return fragment;
  }
};

}  // namespace

const Skeleton& contraction_skeleton() {
  static const ContractionSkeleton skeleton;
  return skeleton;
}

}  // namespace kw::codegen
