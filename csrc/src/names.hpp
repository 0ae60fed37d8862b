// Lists of names in messages.
#pragma once

#include <string>

namespace lmlp {

inline std::string to_text(const std::string& item) {
    return item;
}
inline std::string to_text(const char* item) {
    return item;
}
template <class Number>
std::string to_text(Number item) {
    return std::to_string(item);
}

// "a, b, c" of what `text` makes of the items: strings or numbers.
template <class Items, class Text>
std::string join(const Items& items, Text text) {
    std::string joined;
    for (const auto& item : items) {
        if (!joined.empty()) joined += ", ";
        joined += to_text(text(item));
    }
    return joined;
}

template <class Items>
std::string join(const Items& items) {
    return join(items, [](const auto& item) { return item; });
}

}  // namespace lmlp
