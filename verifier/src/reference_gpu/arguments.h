#ifndef KW_REFERENCE_ARGUMENTS
#define KW_REFERENCE_ARGUMENTS
// Parameters of the reference's kernels, as host and device both see them.

namespace kw::verify::gpu {

constexpr int kMaxRank = 6;

/// How an operand's elements lie in memory; codes of kw::DType in order, then these.
enum OperandType : int {
  kF64 = 0,
  kF32,
  kF16,
  kBF16,
  kI64,
  kI32,
  kI16,
  kI8,
  kU8,
  kBool,
  kScalar,  // `value` and `error`, no memory
  kAbsent,
};

/// A strided tensor. `v` and `e` are device addresses; e is 0 where elements are exact.
struct Operand {
  unsigned long long v, e;
  long long offset;  // elements
  long long stride[kMaxRank];
  double value, error;
  int type;
  int pad;
};

/// What rounding an output's dtype adds.
struct OutputType {
  double limit, roundoff, quantum;
};

struct MapArguments {
  unsigned long long n;
  long long shape[kMaxRank];
  Operand in[3];
  double p[4];
  OutputType type;
  unsigned long long out_v, out_e;
  int rank, function;
};

/// x seen as [outer, reduced, inner], contiguous from its offset.
struct TotalsArguments {
  Operand x;
  unsigned long long outer, reduced, inner, split;
  unsigned long long centre;   // per (outer, inner): mean or maximum, for the modes that need one
  unsigned long long centres;  // inner 1: row o has centre o % centres
  unsigned long long v, c, e;  // [outer, split, inner]
  int mode, pad;
};
enum TotalsMode : int { kPlain = 0, kSquare, kDeviation, kExponential, kAbsolute };

struct JoinArguments {
  unsigned long long outer, split, inner;
  unsigned long long v, c, e;
  unsigned long long out_v, out_c, out_e;
};

/// Totals to a sum (finish 0), a mean (1) or a variance (2: `mean_v` and `mean_e` are given).
struct FinishArguments {
  unsigned long long n;  // groups
  unsigned long long v, c, e, mean_v, mean_e, out_v, out_e;
  double terms, factor, correction;
  OutputType type;
  int finish, pad;
};

struct ExtremumArguments {
  Operand x;
  unsigned long long outer, reduced, inner, out_v, out_e;
  int largest, pad;
};

struct SoftmaxArguments {
  Operand x;
  unsigned long long n, reduced, inner;
  unsigned long long maximum_v, maximum_e, sum_v, sum_e, out_v, out_e;
  OutputType type;
  int log, pad;
};

/// Element i belongs to group (i / group_divisor) % groups and takes weight (i / weight_divisor) %
/// weights. mean_v 0: no mean is subtracted.
struct NormalizeArguments {
  Operand x, weight, bias;
  unsigned long long n, group_divisor, groups, weight_divisor, weights;
  unsigned long long mean_v, mean_e, variance_v, variance_e, out_v, out_e;
  double eps;
  OutputType type;
};

/// out[b, m, n] = sum_k a[b, m, k] b[b, k, n]; strides in elements.
struct ProductArguments {
  Operand a, b;
  long long a_batch, a_row, a_column, b_batch, b_row, b_column;
  unsigned long long batches, m, n, k;
  unsigned long long out_v, out_e, out_c;
  double factor;
  OutputType type;
  int inexact, pad;
};

/// Up to three spatial dimensions; unused ones lead and have extent 1.
struct Window {
  int in[3], out[3], kernel[3], stride[3], padding[3], dilation[3];
};

/// x [batch, in_channels, in...], w [out_channels, in_channels / groups, kernel...] or, transposed,
/// [in_channels, out_channels / groups, kernel...]; all contiguous.
struct ConvolutionArguments {
  Operand x, w, bias;
  Window window;
  unsigned long long batch, in_channels, out_channels, groups;
  unsigned long long out_v, out_e, out_c;
  double factor, bias_factor;
  OutputType type;
  int transposed, inexact;
};

/// Pooling of `planes` images. Adaptive: cell o covers [floor(o in / out), ceil((o + 1) in / out)).
struct PoolArguments {
  Operand x;  // contiguous
  Window window;
  unsigned long long planes, out_v, out_e;
  double divisor;  // of every average; 0: its terms, or the padded window
  OutputType type;
  int average, adaptive, include_padding, few_valued;
};

/// A copy of `in` (strided over `shape`) to strided places of the output.
struct PlaceArguments {
  unsigned long long n;
  long long shape[kMaxRank];
  Operand in;
  long long out_offset, out_stride[kMaxRank];
  unsigned long long out_v, out_e;
  int rank, pad;
};

/// Matrices: (row, column) with column - row beyond `diagonal` get `fill`. out may be x.
struct TriangleArguments {
  Operand x;  // contiguous
  unsigned long long n;
  long long rows, columns, diagonal;
  double fill;
  unsigned long long out_v, out_e;
  int lower, pad;
};

/// Rows of `table` [rows, width] by integer index (negative ones count from the end).
struct TakeArguments {
  Operand table, index;  // contiguous
  unsigned long long n, rows, width, out_v, out_e;
};

/// Running sums or products along x seen as [outer, length, inner], contiguous.
struct ScanArguments {
  Operand x;
  unsigned long long outer, length, inner, out_v, out_e;
  int product, integer, few_valued, pad;
};

/// Position of the extremum of x seen as [outer, reduced, inner], contiguous.
struct PositionArguments {
  Operand x;
  unsigned long long outer, reduced, inner, out_v, out_e;
  int largest, pad;
};

constexpr int kMaxTerms = 4;
constexpr int kMaxLetters = 8;
/// Sum over the inner letters of the product of the operands; letters of the result come first.
struct EinsumArguments {
  Operand in[kMaxTerms];
  long long stride[kMaxTerms][kMaxLetters];
  long long extent[kMaxLetters];
  unsigned long long n, terms, out_v, out_e;
  double factor, bound_terms;
  OutputType type;
  int operands, letters, kept, pad;
};

/// x [rows, k] w^T [k, n] + bias, errors of x as independent ones (the CPU's recurrences.cpp).
struct ProjectArguments {
  Operand x, w, bias;
  unsigned long long rows, n, k, out_v, out_e;
  double factor, bias_factor;
};
/// One step of a recurrent cell. `input` and `hidden` are [batch, gates * width].
struct CellArguments {
  unsigned long long input_v, input_e, hidden_v, hidden_e;
  unsigned long long h_v, h_e, c_v, c_e;  // state, updated; c is 0 where the cell has none
  unsigned long long y_v, y_e;            // row b at y + b * line
  unsigned long long batch, width, line;
  int cell, pad;
};
enum CellKind : int { kLstmCell = 0, kGruCell, kTanhCell, kReluCell };

struct CompareArguments {
  Operand got;  // contiguous from its offset
  unsigned long long n, v, e, c;
  double largest;
  double flushed, alike;   // added to an element's bound where it has a c, the second times c
  unsigned long long out;  // ComparePartial per block
};
struct ComparePartial {
  double worst, signed_sum;
  unsigned long long worst_at, first_wrong, wrong, judged, finite, signed_count;
};
constexpr unsigned long long kNone = ~0ull;

/// Functions of kw_map. Where two names of ATen mean the same, one stands here.
enum Function : int {
  kCopy = 0,
  kNegate,
  kAbs,
  kRelu,
  kRelu6,
  kExp,
  kExp2,
  kExpm1,
  kLog,
  kLog2,
  kLog10,
  kLog1p,
  kSqrt,
  kRsqrt,
  kReciprocal,
  kSquareOf,
  kSin,
  kCos,
  kTanh,
  kErf,
  kErfc,
  kSigmoid,
  kSilu,
  kMish,
  kSelu,
  kSoftsign,
  kHardsigmoid,
  kHardswish,
  kLogSigmoid,
  kNot,   // of a truth value
  kRoot,  // of what cannot be negative
  kGeluErf,
  kGeluTanh,
  kLeakyRelu,   // p0 slope
  kElu,         // p0 alpha, p1 scale, p2 input scale
  kClamp,       // p0 low, p1 high
  kSoftplus,    // p0 beta, p1 threshold
  kAddScaled,   // p0 alpha
  kSubScaled,   // a - p0 b
  kReverseSub,  // b - p0 a
  kTimes,
  kQuotient,
  kPower,
  kMaximum,
  kMinimum,
  kSquaredDifference,
  kAbsoluteDifference,
  kSmoothL1,  // p0 beta
  kHuber,     // p0 delta
  kKl,
  kEqual,
  kChoose,      // b a truth value: p0 where it holds, else a
  kDropout,     // b uniform: p0 probability
  kLogSumExp,   // a the maximum, b the sum of exponentials
  kAddProduct,  // beta * a + alpha * product b: p0 beta, p1 alpha, p2 g (see contractions)
};

}  // namespace kw::verify::gpu

#endif
