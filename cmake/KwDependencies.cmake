# Every outside dependency is found here, once. docs/dependencies.md says why each is there.
include(GoogleTest)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(tl-expected REQUIRED)
find_package(SQLite3 3.37 REQUIRED)  # STRICT tables
find_package(ZLIB REQUIRED)
find_package(CURL REQUIRED)
find_package(CLI11 REQUIRED)
find_package(Boost 1.74 REQUIRED)  # headers: Asio and Beast
if(KW_BUILD_TESTS)
  find_package(GTest REQUIRED)
  find_package(Boost 1.74 REQUIRED)  # Asio: the scripted endpoint of the tests
endif()
if(KW_BUILD_BENCH)
  find_package(benchmark REQUIRED)
endif()
