#pragma once
// The forms of the contraction skeleton. Each says what it costs at a site, declares its parameters
// and emits.
//
//   fp16x3   operands as two FP16 terms on tensor cores (contraction_fp16x3.cuh)
//   direct   the same, split in the main loop instead of in a pass of its own
//            (contraction_direct.cuh)
//   image    the same where the left operand is an image's pixels under a window
//            (contraction_image.cuh)
//   image_tf32  that with one term, where the policy is tf32 (image_convert.cuh, image_tf32.cuh)
//   ffma     FP32 on the plain pipes (contraction_ffma.cuh)
//   gemv     one side of the product is at most eight wide: bound by memory (gemv.cuh)
//   decode   the same, the wide side stored in a block format (gemv_decode.cuh)

#include <optional>

#include "skeletons/contraction_text.h"
#include "skeletons/parameters.h"
#include "skeletons/skeleton.h"

namespace kw::codegen {

struct ContractionForms {
  const Program& program;
  const Region& region;
  const ContractionSite& site;
  const Target& target;
};

/// Nothing when the form cannot run the site.
std::optional<double> fp16x3_cost(const ContractionForms& at);
ParameterSpace fp16x3_space(const ContractionForms& at);
Fragment emit_fp16x3(const ContractionForms& at, const Config& config, const EmitContext& context);

std::optional<double> direct_cost(const ContractionForms& at);
ParameterSpace direct_space(const ContractionForms& at);
Fragment emit_direct(const ContractionForms& at, const Config& config, const EmitContext& context);

/// Of the image's own site: `at.site` is `image.site`.
struct ImageSite;
std::optional<double> image_cost(const ContractionForms& at, const ImageSite& image);
ParameterSpace image_space(const ContractionForms& at, const ImageSite& image);
Fragment emit_image(const ContractionForms& at, const ImageSite& image, const Config& config,
                    const EmitContext& context);

/// Of the site with ImageTerms::One.
std::optional<double> image_tf32_cost(const ContractionForms& at, const ImageSite& image);
ParameterSpace image_tf32_space(const ContractionForms& at, const ImageSite& image);
Fragment emit_image_tf32(const ContractionForms& at, const ImageSite& image, const Config& config,
                         const EmitContext& context);

std::optional<double> ffma_cost(const ContractionForms& at);
ParameterSpace ffma_space(const ContractionForms& at);
Fragment emit_ffma(const ContractionForms& at, const Config& config, const EmitContext& context);

std::optional<double> gemv_cost(const ContractionForms& at);
ParameterSpace gemv_space(const ContractionForms& at);
Fragment emit_gemv(const ContractionForms& at, const Config& config, const EmitContext& context);

std::optional<double> decode_cost(const ContractionForms& at);
ParameterSpace decode_space(const ContractionForms& at);
Fragment emit_decode(const ContractionForms& at, const Config& config, const EmitContext& context);

/// Which operand is the matrix W; the other one is at most eight vectors.
struct GemvSides {
  bool w_is_a = true;
  std::int64_t rows = 0, vectors = 0;
};
std::optional<GemvSides> gemv_sides(const ContractionSite& site);
/// Where a GEMV kernel's sums go: the epilogue, or with several parts of k a workspace `sums`.
struct GemvSink {
  std::string parameter;  // of the entry, with its comma
  std::string value;
};
GemvSink gemv_sink(const ContractionForms& at, const GemvSides& sides, const EpilogueText& epilogue,
                   std::int64_t parts, EntryPointers& entry);
/// The node of entry "gemv"; with several parts (grid[1]) also the workspace and the kernel that
/// adds them.
void add_gemv_nodes(const ContractionForms& at, const GemvSides& sides,
                    const EpilogueText& epilogue, std::array<std::int64_t, 3> grid,
                    std::int64_t shared, const EntryPointers& entry, const EmitContext& context,
                    Fragment& fragment);

/// Float workspace: [parts][batch][m][n rounded up to even].
PlanBuffer parts_workspace(const ContractionSite& site, std::int64_t parts, std::string name);
/// The kernel that adds the parts and applies the epilogue, as text and plan node.
void add_finish_kernel(const ContractionForms& at, const EpilogueText& epilogue, std::int64_t parts,
                       const std::string& workspace, const EmitContext& context,
                       Fragment& fragment);
/// "kw::StorePart{sums, BATCH, M}".
std::string store_part_value(const ContractionSite& site);

/// A kernel node with 1-d blocks whose arguments are the entry's tensors, then workspaces.
PlanNode contraction_node(const Program& program, std::string entry,
                          std::array<std::int64_t, 3> grid, std::int64_t threads,
                          std::int64_t shared, const EntryPointers& pointers,
                          const std::vector<std::string>& workspaces);

/// Smallest share of the device's thread blocks that `blocks` leave idle in their last wave, as a
/// factor on time: 1 is none.
double wave_factor(std::int64_t blocks, std::int64_t resident);

std::int64_t ceil_div(std::int64_t a, std::int64_t b);
std::int64_t round_up(std::int64_t a, std::int64_t b);

}  // namespace kw::codegen
