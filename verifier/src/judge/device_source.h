#pragma once
// The judge's own device code, as it is given to NVRTC.

#include <initializer_list>
#include <string>
#include <string_view>

namespace kw::verify {

/// The named files joined into one text, in order. Lines that include a header are left out: the
/// pieces stand in one translation unit. A name that is not embedded is a bug and ends the program.
std::string device_source(std::initializer_list<std::string_view> names);

}  // namespace kw::verify
