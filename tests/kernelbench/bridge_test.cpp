// The bridge against interpreters that are missing, broken, silent or wrong. What a real one
// answers is tested in kernelbench/python/tests.

#include "kw/bench/bridge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "kw/bench/tasks.h"

namespace kw::bench {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

/// A shell script in the place of Python: it is called with `-c PROGRAM` and the package on the
/// first line of its input.
class FakePython {
 public:
  explicit FakePython(const std::string& body) {
    static int number = 0;
    path_ = std::filesystem::temp_directory_path() /
            fmt::format("kw_fake_python_{}_{}", ::getpid(), number++);
    std::ofstream(path_) << "#!/bin/sh\nread package\n" << body << "\n";
    ::chmod(path_.c_str(), 0700);
  }
  ~FakePython() { std::filesystem::remove(path_); }

  BridgeOptions options(milliseconds timeout = milliseconds(20000)) const {
    BridgeOptions options;
    options.python = path_.string();
    options.start_timeout = options.export_timeout = timeout;
    return options;
  }

 private:
  std::filesystem::path path_;
};

const char* const kHello = "read hello\necho '{\"ok\":true,\"torch\":\"2.11.0\"}'\nread export\n";

Error start_error(const BridgeOptions& options) {
  auto bridge = PythonBridge::start(options);
  EXPECT_FALSE(bridge);
  return bridge ? Error{} : bridge.error();
}

TEST(PythonBridge, SaysWhatToDoWhenThereIsNoPython) {
  BridgeOptions options;
  options.search_path = "/nonexistent:relative:";
  const Error error = start_error(options);
  EXPECT_EQ(error.code, Errc::Unavailable);
  EXPECT_THAT(error.message, HasSubstr("no python3 on the search path"));
  EXPECT_THAT(error.message, HasSubstr("python -m kw_bridge export"));
  options.python = "/nonexistent/python";
  EXPECT_THAT(start_error(options).message, HasSubstr("/nonexistent/python"));
}

TEST(PythonBridge, SaysWhatToDoWhenPythonHasNoTorch) {
  const FakePython python(
      "read hello; echo '{\"ok\":false,\"error\":\"x\",\"missing\":\"torch\"}'; read more");
  const Error error = start_error(python.options());
  EXPECT_EQ(error.code, Errc::Unavailable);
  EXPECT_THAT(error.message, HasSubstr("has no torch"));
  EXPECT_THAT(error.message, HasSubstr("pip install torch"));
}

TEST(PythonBridge, RepeatsTheLastWordsOfAnInterpreterThatDies) {
  const FakePython python("echo 'first' >&2; echo 'SyntaxError: old Python' >&2; exit 1");
  const Error error = start_error(python.options());
  EXPECT_EQ(error.code, Errc::Unavailable);
  EXPECT_THAT(error.message, HasSubstr("SyntaxError: old Python"));
}

TEST(PythonBridge, StopsWaitingAtTheDeadline) {
  const FakePython python("sleep 60");
  const Error error = start_error(python.options(milliseconds(200)));
  EXPECT_EQ(error.code, Errc::DeadlineExceeded);
}

TEST(PythonBridge, StopsWaitingWhenCancelled) {
  const FakePython python("sleep 60");
  std::stop_source source;
  source.request_stop();
  const auto bridge = PythonBridge::start(python.options(), source.get_token());
  ASSERT_FALSE(bridge);
  EXPECT_EQ(bridge.error().code, Errc::Cancelled);
}

TEST(PythonBridge, RefusesAnswersThatAreNoAnswers) {
  for (const char* answer : {"echo hello", "echo []", "echo '{\"ok\":1}'", "echo '{}'"}) {
    const FakePython python(fmt::format("read hello; {}; read more", answer));
    EXPECT_EQ(start_error(python.options()).code, Errc::Internal) << answer;
  }
}

TEST(PythonBridge, GivesTheTaskThatTheInterpreterMade) {
  const auto json = find_task_json("kernelbench:1/19@small");
  ASSERT_TRUE(json);
  std::string line(*json);
  std::replace(line.begin(), line.end(), '\n', ' ');
  const FakePython python(
      fmt::format("{}echo '{{\"ok\":true,\"task\":{}}}'\nread more", kHello, line));
  auto bridge = PythonBridge::start(python.options());
  ASSERT_TRUE(bridge) << bridge.error().message;
  EXPECT_EQ(bridge->torch_version(), "2.11.0");
  const auto task = bridge->import_model({"/tmp/model.py", true, "ieee", {}});
  ASSERT_TRUE(task) << task.error().message;
  EXPECT_EQ(task->graph.nodes.at(0).op, "aten.relu");
}

TEST(PythonBridge, PassesOnWhyAFileIsNoTask) {
  const FakePython python(fmt::format(
      "{}echo '{{\"ok\":false,\"error\":\"model.py does not define Model\"}}'\nread more", kHello));
  auto bridge = PythonBridge::start(python.options());
  ASSERT_TRUE(bridge) << bridge.error().message;
  const auto task = bridge->import_model({"model.py", false, "ieee", {}});
  ASSERT_FALSE(task);
  EXPECT_EQ(task.error().code, Errc::InvalidArgument);
  EXPECT_EQ(task.error().message, "model.py does not define Model");
}

TEST(PythonBridge, IsOfNoUseAfterABrokenExchange) {
  const FakePython python(fmt::format("{}exit 3", kHello));
  auto bridge = PythonBridge::start(python.options());
  ASSERT_TRUE(bridge) << bridge.error().message;
  EXPECT_EQ(bridge->import_model({"model.py", false, "ieee", {}}).error().code, Errc::Unavailable);
  EXPECT_THAT(bridge->import_model({"model.py", false, "ieee", {}}).error().message,
              HasSubstr("start it again"));
}

TEST(PythonBridge, RefusesATaskThatIsNone) {
  const FakePython python(fmt::format("{}echo '{{\"ok\":true,\"task\":{{}}}}'\nread more", kHello));
  auto bridge = PythonBridge::start(python.options());
  ASSERT_TRUE(bridge) << bridge.error().message;
  EXPECT_EQ(bridge->import_model({"model.py", false, "ieee", {}}).error().code,
            Errc::InvalidArgument);
}

}  // namespace
}  // namespace kw::bench
