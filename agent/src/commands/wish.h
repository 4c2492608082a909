#pragma once
// The options of commands that generate, and what they ask of a job.

#include <string>

#include "command.h"
#include "kw/agent/job.h"
#include "kw/store/store.h"

namespace kw::agent {

struct WishOptions {
  std::string objective = "first";
  double budget_s = 300;
  int candidates = 64;
  bool no_memory = false;
  int templates = 3;
  std::string endpoint, model, key_env;
  int lanes = 4;
  int rounds = 3;
  int max_tokens = 8192;
  double stall_s = 60;
  double reply_s = 600;
  int retries = 3;
  std::string replay;  // path of a transcript
  int tune = 0;
  double tune_s = 60;

  void declare(Arguments& arguments);
  /// Reads the transcript into the store. InvalidArgument for options that make no sense together.
  Result<JobSpec> wish(const Globals& globals, store::Store& store) const;
};

}  // namespace kw::agent
