#include "kw/process/channel.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>
#include <thread>

#include "kw/process/wire.h"

namespace {

using namespace kw::process;
using namespace std::chrono_literals;
using kw::Errc;

TEST(Channel, CarriesMessagesLargerThanTheSocketBuffer) {
  auto ends = Channel::pair().value();
  const std::string big(5'000'000, 'k');
  std::jthread sender([&] { EXPECT_TRUE(ends.first.send(9, big)); });
  const auto got = ends.second.receive(Wait::within(10s));
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->type, 9u);
  EXPECT_EQ(got->body, big);
}

TEST(Channel, CarriesDescriptors) {
  auto ends = Channel::pair().value();
  std::array<int, 2> pipe_ends{};
  ASSERT_EQ(::pipe(pipe_ends.data()), 0);
  const Fd read_end(pipe_ends[0]), write_end(pipe_ends[1]);
  ASSERT_TRUE(ends.first.send(1, "", {write_end.get(), write_end.get()}, {}));
  auto got = ends.second.receive();
  ASSERT_TRUE(got);
  ASSERT_EQ(got->fds.size(), 2u);
  ASSERT_EQ(::write(got->fds[1].get(), "y", 1), 1);
  char byte = 0;
  ASSERT_EQ(::read(read_end.get(), &byte, 1), 1);
  EXPECT_EQ(byte, 'y');
}

TEST(Channel, TellsDeadlineCancellationAndEndOfStreamApart) {
  auto ends = Channel::pair().value();
  EXPECT_EQ(ends.first.receive(Wait::within(10ms)).error().code, Errc::DeadlineExceeded);
  std::stop_source stop;
  std::jthread later([&] {
    std::this_thread::sleep_for(20ms);
    stop.request_stop();
  });
  EXPECT_EQ(ends.first.receive({Deadline::max(), stop.get_token()}).error().code, Errc::Cancelled);
  ends.second.close();
  EXPECT_EQ(ends.first.receive().error().code, Errc::Unavailable);
  EXPECT_EQ(ends.first.send(1, "x").error().code, Errc::Unavailable);
}

TEST(Channel, RefusesWhatIsTooLargeOnBothSides) {
  auto ends = Channel::pair(/*max_body_bytes=*/100).value();
  EXPECT_EQ(ends.first.send(1, std::string(101, 'a')).error().code, Errc::ResourceExhausted);
  Channel generous(Fd(::dup(ends.first.fd())));
  ASSERT_TRUE(generous.send(1, std::string(101, 'a')));
  EXPECT_EQ(ends.second.receive().error().code, Errc::Corrupt);
}

TEST(Channel, RefusesBytesThatAreNoMessage) {
  auto ends = Channel::pair().value();
  const std::string noise(100, 'z');
  ASSERT_EQ(::write(ends.first.fd(), noise.data(), noise.size()), 100);
  EXPECT_EQ(ends.second.receive().error().code, Errc::Corrupt);
}

TEST(Wire, ReadsBackWhatWasWrittenAndNeverPastTheEnd) {
  Writer writer;
  writer.put(std::int64_t{-5})
      .put(2.5)
      .text("abc")
      .list(std::vector<int>{1, 2}, [](Writer& w, int i) { w.put(i); });
  Reader reader(writer.bytes());
  EXPECT_EQ(reader.get<std::int64_t>(), -5);
  EXPECT_EQ(reader.get<double>(), 2.5);
  EXPECT_EQ(reader.text(), "abc");
  EXPECT_EQ(reader.count(), 2u);
  EXPECT_EQ(reader.get<int>(), 1);
  EXPECT_EQ(reader.get<int>(), 2);
  EXPECT_TRUE(reader.finished());
  EXPECT_EQ(reader.get<int>(), 0);
  EXPECT_FALSE(reader.ok());

  Reader lying(std::string_view("\xff\xff\xff\xff\xff\xff\xff\x7f", 8));
  EXPECT_EQ(lying.text(), "");
  EXPECT_FALSE(lying.ok());
}

}  // namespace
