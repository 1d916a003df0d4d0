#pragma once

#include <optional>
#include <string>

#include "compiler/eval/cursor.h"

namespace heddle::eval {

/// What a `Host` header or the authority of an absolute target may be:
///
///   host-value = ( label *( "." label ) / "[" 1*( hex / ":" / "." ) "]" ) [ ":" 1*5digit ]
///   label      = 1*( letter / digit / "_" / "-" )
///
/// No user, no final dot, no escape: everything that readers are known to disagree about is left out.
/// Takes as much as fits; the result is the host without port and in lower case, or nothing, and then the
/// cursor is at the byte that does not fit.
std::optional<std::string> take_host(Cursor& cursor);

}  // namespace heddle::eval
