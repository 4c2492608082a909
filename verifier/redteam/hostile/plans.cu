//! task: relu 3 65
//! scratch: ws 1024
//! launch: k grid 2 block 128 args x y
//! about: what the launch plan says instead of the code
//! rows: 4
//! expect: rejected_by_policy by V7
//! variant: output_is_input X=1;; plan: /buffers/1/alias_of = "x";; expect: rejected_by_policy|launch_error by V7
//! variant: scratch_is_input X=1;; plan: /buffers/2/alias_of = "x";; expect: rejected_by_policy|launch_error by V7
//! variant: short_output X=1;; plan: /buffers/1/bytes = "776"
//! variant: long_output X=1;; plan: /buffers/1/bytes = "4096"
//! variant: output_as_scratch X=1;; plan: /buffers/1/role = "scratch"
//! variant: input_as_state X=1;; plan: /buffers/0/role = "state"
//! variant: pointer_past_the_end X=1;; launch: k grid 2 block 128 args x y+4096;; expect: launch_error|rejected_by_policy by V7
//! variant: pointer_into_the_middle X=1;; launch: k grid 2 block 128 args x y+4;; expect: out_of_bounds|wrong_result by V2|V10|V12
//! variant: swapped_arguments X=1;; launch: k grid 2 block 128 args y x;; expect: input_modified|uninitialised|wrong_result;; rows: 3
//! variant: too_much_shared X=1;; launch: k grid 2 block 128 shared 300000 args x y;; expect: launch_error|not_verifiable|rejected_by_policy;; rows: 38
//! variant: too_many_threads X=1;; launch: k grid 2 block 2048 args x y;; expect: launch_error by V7;; rows: 38
//! variant: empty_grid X=1;; launch: k grid 0 block 128 args x y;; expect: launch_error|wrong_result|rejected_by_policy
//! variant: hundred_gigabytes X=1;; scratch: ws 107374182400;; expect: not_verifiable|launch_error
//! variant: missing_argument X=1;; launch: k grid 2 block 128 args x;; expect: launch_error
extern "C" __global__ void k(const float* x, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < 195) y[i] = x[i] > 0.f || x[i] != x[i] ? x[i] : 0.f;
}
