#pragma once
// Rules of the house that a compiler does not know (design.md, section 2): who may include whom, which
// library stays behind which door, what cores and tests must not touch. Each problem names the place, the
// rule and the remedy.

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::tidy {

// A source tree as text: path below the root -> content.
using Tree = std::map<std::string, std::string>;

// Problems of one source or header file.
[[nodiscard]] std::vector<std::string> problems_in(const std::string& path,
                                                   const std::string& text);

// .cpp files that no CMakeLists.txt names.
[[nodiscard]] std::vector<std::string> unlisted_sources(const Tree& tree);

// A line without its // comment and without what stands in string literals.
[[nodiscard]] std::string code_of(std::string_view line);

}  // namespace millrace::tidy
