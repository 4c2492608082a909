#pragma once
// Names of the table's families, in its order.

#include <string_view>

namespace kw::ptxvm {

inline constexpr std::string_view kInteger = "integer arithmetic", kCarry = "extended precision",
                                  kFloat = "f32 and f64 arithmetic",
                                  kHalf = "f16 and bf16 arithmetic",
                                  kCompare = "comparison and selection",
                                  kLogic = "logic and shifts", kMove = "data movement",
                                  kMemory = "loads and stores", kConvert = "conversion",
                                  kWarp = "warp operations", kControl = "control flow",
                                  kSync = "barriers and fences", kAtomic = "atomics and reductions",
                                  kAsync = "asynchronous copies", kMbarrier = "mbarrier",
                                  kMatrix = "matrix products", kBulk = "bulk and tensor copies",
                                  kCluster = "clusters", kWgmma = "wgmma and tcgen05",
                                  kTexture = "textures and surfaces", kVideo = "video instructions",
                                  kOther = "miscellaneous";

}  // namespace kw::ptxvm
