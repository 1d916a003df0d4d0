#include "compiler/syntax/expected.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace heddle::syntax {

namespace {

// A longer list of alternatives helps nobody.
constexpr size_t most_alternatives = 8;

struct RuleText {
  size_t rule;
  const char* text;
};

constexpr RuleText phrases[] = {
    {Parser::RuleName, "a name"},
    {Parser::RuleQualifiedName, "a name"},
    {Parser::RuleSocketAddress, "an address with a port (`10.0.0.1:80`, `[fd00::1]:80`)"},
    {Parser::RuleAddressRange, "an address or a range (`10.0.0.1`, `10.0.0.0/8`)"},
    {Parser::RuleCondition, "a condition"},
    {Parser::RuleTerm, "a condition"},
    {Parser::RuleTarget, "a target (a subset, the service, `split`, `respond` or `redirect`)"},
    {Parser::RuleSimpleTarget, "a target (a subset, the service, `respond` or `redirect`)"},
    {Parser::RuleCallers, "an identity, `any`, `authenticated` or `unauthenticated`"},
    {Parser::RuleSender, "an identity, `spiffe` or `unauthenticated`"},
    {Parser::RuleIdentityValue, "`spiffe`, `jwt` or the names of identities"},
    {Parser::RuleOperation, "an operator (`is`, `in`, `under`, `starts`, `present`, …)"},
    {Parser::RuleMethodOperation, "`is`, `in` or `not in`"},
    {Parser::RuleRequest, "a request (`GET \"/\" to service`, `connect to service`)"},
    {Parser::RuleExpectation, "an expectation (`allowed`, `denied`, `route …`, `status …`, `rule …`)"},
    {Parser::RuleRewrite, "`path` or `host`"},
};

constexpr RuleText blocks[] = {
    {Parser::RuleFile, "a declaration (`service`, `route`, `access`, …)"},
    {Parser::RuleMesh, "a statement of `mesh`"},
    {Parser::RuleWorkload, "a statement of `workload`"},
    {Parser::RuleService, "a statement of `service`"},
    {Parser::RuleEndpoints, "`endpoint`"},
    {Parser::RuleEndpoint, "a label of the endpoint"},
    {Parser::RuleRetryPolicy, "a statement of `retry`"},
    {Parser::RuleRoute, "a rule (`when`, `otherwise`)"},
    {Parser::RuleRuleOptions, "an option"},
    {Parser::RuleOption, "a statement of `cors`"},
    {Parser::RuleAccess, "a rule (`allow`, `deny`)"},
    {Parser::RuleLimit, "a statement of `limit`"},
    {Parser::RuleAssertion, "`on`"},
    {Parser::RuleTest, "`send`, `connect` or `expect`"},
};

constexpr size_t statements[] = {
    Parser::RuleDeclaration,   Parser::RuleMeshItem,     Parser::RuleWorkloadItem, Parser::RuleServiceItem,
    Parser::RuleEndpointsItem, Parser::RuleEndpointItem, Parser::RuleRetryItem,    Parser::RuleRouteItem,
    Parser::RuleOption,        Parser::RuleCorsItem,     Parser::RuleAccessRule,   Parser::RuleLimitItem,
    Parser::RuleClaimItem,     Parser::RuleTestItem,
};

constexpr RuleText tokens[] = {
    {Parser::NAME, "a name"},
    {Parser::STRING, "a string"},
    {Parser::INTEGER, "a number"},
    {Parser::DECIMAL, "a decimal number"},
    {Parser::PERCENT, "a percentage (`10%`)"},
    {Parser::DURATION, "a duration (`250ms`)"},
    {Parser::PER_TIME, "a rate (`100/s`)"},
    {Parser::SIZE, "a size (`64KiB`)"},
    {Parser::IPV4, "an IPv4 address"},
    {Parser::IPV6, "an IPv6 address"},
    {Parser::IPV4_PORT, "an IPv4 address with a port"},
    {Parser::IPV6_PORT, "an IPv6 address with a port"},
    {Parser::IPV4_RANGE, "an IPv4 range"},
    {Parser::IPV6_RANGE, "an IPv6 range"},
    {Parser::REGEX, "a regular expression (`/…/`)"},
};

template <size_t Size>
const char* find_text(const RuleText (&table)[Size], size_t key) {
  for (const RuleText& row : table) {
    if (row.rule == key) return row.text;
  }
  return nullptr;
}

/// The word or sign as the grammar has it, without quotes.
std::string literal_of(size_t token) {
  static const Parser vocabulary(nullptr);
  const std::string quoted = vocabulary.getVocabulary().getLiteralName(token);
  return quoted.size() > 2 ? quoted.substr(1, quoted.size() - 2) : std::string();
}

std::string describe_token(size_t token) {
  if (token == antlr4::Token::EOF) return "the end of the file";
  if (const char* text = find_text(tokens, token)) return text;
  return "`" + literal_of(token) + "`";
}

}  // namespace

bool is_keyword(size_t token) {
  return token >= Parser::ANY && token < Parser::NAME;
}
bool is_reserved_word(size_t token) {
  return token >= Parser::ANY && token < Parser::MESH;
}

std::string describe_found(const antlr4::Token& token) {
  constexpr size_t shown = 40;
  if (token.getType() == antlr4::Token::EOF) return "the end of the file";
  std::string text = token.getText();
  if (text.size() > shown) {
    size_t end = shown;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    text = text.substr(0, end) + "…";
  }
  return (is_reserved_word(token.getType()) ? "the reserved word `" : "`") + text + "`";
}

std::string describe_expected(const TokenSet& expected) {
  std::vector<std::string> texts;
  const bool any_name = expected.contains(Parser::NAME);
  for (const size_t token : expected) {
    // Where a name fits, every keyword does; that helps nobody. Nor does the `.` of a qualified name.
    const bool as_name = any_name && is_keyword(token) && !is_reserved_word(token);
    if (!as_name && (token != Parser::DOT || expected.size() == 1)) texts.push_back(describe_token(token));
  }
  if (texts.empty()) return "something else";
  if (texts.size() > most_alternatives) {
    texts.resize(most_alternatives);
    texts.emplace_back("…");
  }
  std::string result = texts.front();
  for (size_t i = 1; i < texts.size(); ++i)
    result += (i + 1 == texts.size() && texts[i] != "…" ? " or " : ", ") + texts[i];
  return result;
}

std::vector<std::string> words_of(const TokenSet& expected) {
  std::vector<std::string> words;
  if (expected.contains(Parser::NAME)) return words;
  for (const size_t token : expected) {
    if (is_keyword(token)) words.push_back(literal_of(token));
  }
  return words;
}

const char* phrase_of_rule(size_t rule) {
  return find_text(phrases, rule);
}
const char* items_of_block(size_t rule) {
  return find_text(blocks, rule);
}

bool is_statement(size_t rule) {
  return std::find(std::begin(statements), std::end(statements), rule) != std::end(statements);
}

bool starts_declaration(size_t token) {
  static const TokenSet starts = {Parser::SPACE,   Parser::MESH,      Parser::IDENTITY, Parser::WORKLOAD,
                                  Parser::SERVICE, Parser::ENDPOINTS, Parser::ROUTE,    Parser::ACCESS,
                                  Parser::TEST,    Parser::RETRY,     Parser::LIMIT,    Parser::ASSERT,
                                  Parser::EXTERN};
  return starts.contains(token);
}

}  // namespace heddle::syntax
