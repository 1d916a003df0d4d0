#pragma once

#include <set>
#include <string>
#include <vector>

#include "compiler/syntax/antlr.h"

/// How tokens and rules of the grammar are called in messages.
namespace heddle::syntax {

using TokenSet = std::set<size_t>;

/// `name`, `"/x"`, the end of the file: what was found.
std::string describe_found(const antlr4::Token& token);

/// `a`, `b` or a name: what could have stood there. Never empty.
std::string describe_expected(const TokenSet& expected);

/// The words of the set, for suggestions.
std::vector<std::string> words_of(const TokenSet& expected);

/// What a rule of the grammar as a whole is, where that reads better than its first tokens; or nullptr.
const char* phrase_of_rule(size_t rule);

/// What the items of a block are, `a statement of `service``; nullptr for rules that are no block.
const char* items_of_block(size_t rule);

/// Whether the rule is a statement: parsing goes on behind it after an error in it.
bool is_statement(size_t rule);

bool is_keyword(size_t token);
bool is_reserved_word(size_t token);

/// Whether a declaration can start with this token.
bool starts_declaration(size_t token);

}  // namespace heddle::syntax
