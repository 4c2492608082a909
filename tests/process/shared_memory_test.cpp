#include "kw/process/shared_memory.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kw/process/child.h"

namespace {

using namespace kw::process;
using kw::Errc;

TEST(SharedMemory, IsSeenByAnotherMapping) {
  auto memory = SharedMemory::create("test", 5000).value();
  memory.bytes()[4999] = std::byte{42};
  const auto other = SharedMemory::attach(Fd(::dup(memory.fd())), 5000, false).value();
  EXPECT_EQ(other.bytes()[4999], std::byte{42});
}

TEST(SharedMemory, CannotShrinkUnderAReader) {
  auto memory = SharedMemory::create("test", 5000).value();
  EXPECT_NE(::ftruncate(memory.fd(), 10), 0);
  EXPECT_EQ(SharedMemory::attach(Fd(::dup(memory.fd())), 4096, false).error().code, Errc::Corrupt);
  const Fd unsealed(::memfd_create("open", 0));
  ASSERT_EQ(::ftruncate(unsealed.get(), 5000), 0);
  EXPECT_EQ(SharedMemory::attach(Fd(::dup(unsealed.get())), 5000, false).error().code,
            Errc::Corrupt);
}

TEST(SharedMemory, MovesAndMayBeEmpty) {
  auto empty = SharedMemory::create("none", 0).value();
  EXPECT_TRUE(empty.bytes().empty());
  auto memory = SharedMemory::create("test", 10).value();
  memory.bytes()[0] = std::byte{1};
  empty = std::move(memory);
  EXPECT_EQ(empty.bytes()[0], std::byte{1});
}

}  // namespace
