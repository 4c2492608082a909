#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/extension.h>

#include <string>
#include <vector>

// Null, or what failed. `base` has an address for each storage of the plan.
extern "C" const char* kw_run(char* const* base, void* stream);

namespace {

struct KwTensor {
  const char* name;
  int storage;  // -1: the plan does not touch it
  at::ScalarType type;
  std::vector<int64_t> shape;
};
const std::vector<KwTensor> kw_inputs{
@INPUTS@};
const std::vector<KwTensor> kw_held{
@HELD@};
const std::vector<KwTensor> kw_results{
@RESULTS@};

struct KwScratch {
  int storage;
  int64_t offset;
};
const std::vector<KwScratch> kw_scratch{
@SCRATCH@};
constexpr int64_t kw_workspace_bytes = @WORKSPACE@;

class KwCall {
 public:
  explicit KwCall(const at::Tensor& first) : options_(first.options()), base_(@STORAGES@, nullptr) {}

  void read(const std::vector<KwTensor>& expected, const std::vector<at::Tensor>& given) {
    TORCH_CHECK(given.size() == expected.size(), "@TASK@ takes ", expected.size(), " tensors, not ", given.size());
    for (size_t i = 0; i < given.size(); ++i) {
      const KwTensor& e = expected[i];
      TORCH_CHECK(given[i].is_cuda() && given[i].scalar_type() == e.type && given[i].sizes() == at::IntArrayRef(e.shape),
                  e.name, " must be ", e.type, " ", at::IntArrayRef(e.shape), " on a CUDA device; this kernel is made for that alone");
      at::Tensor t = given[i].contiguous();
      if (reinterpret_cast<uintptr_t>(t.data_ptr()) % 16 != 0) t = t.clone();
      place(e.storage, t);
    }
  }
  std::vector<at::Tensor> make(const std::vector<KwTensor>& wanted) {
    std::vector<at::Tensor> made;
    for (const KwTensor& w : wanted) {
      made.push_back(at::empty(w.shape, options_.dtype(w.type)));
      place(w.storage, made.back());
    }
    return made;
  }
  void work() {
    if (kw_workspace_bytes > 0) {
      const at::Tensor space = at::empty({kw_workspace_bytes}, options_.dtype(at::kByte));
      char* start = static_cast<char*>(space.data_ptr());
      for (const KwScratch& s : kw_scratch) base_[s.storage] = start + s.offset;
      kept_.push_back(space);
    }
    const char* failed = kw_run(base_.data(), c10::cuda::getCurrentCUDAStream().stream());
    TORCH_CHECK(failed == nullptr, "@TASK@: ", failed);
  }

 private:
  void place(int storage, const at::Tensor& t) {
    if (storage >= 0) base_[storage] = static_cast<char*>(t.data_ptr());
    kept_.push_back(t);
  }

  at::TensorOptions options_;
  std::vector<char*> base_;
  std::vector<at::Tensor> kept_;  // until everything is in the stream
};

}  // namespace

std::vector<at::Tensor> kw_forward(const std::vector<at::Tensor>& inputs, const std::vector<at::Tensor>& held) {
  TORCH_CHECK(!inputs.empty() || !held.empty(), "@TASK@ needs a tensor");
  const at::Tensor& first = inputs.empty() ? held.front() : inputs.front();
  TORCH_CHECK(first.is_cuda(), "@TASK@ runs on a CUDA device; the tensors are on ", first.device());
  const c10::cuda::CUDAGuard guard(first.device());
  KwCall call(first);
  call.read(kw_inputs, inputs);
  call.read(kw_held, held);
  std::vector<at::Tensor> results = call.make(kw_results);
  call.work();
  return results;
}
