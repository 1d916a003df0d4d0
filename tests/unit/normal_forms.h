#pragma once

namespace heddle {

/// A target, and what it becomes where paths are merged, or decoded first. The evaluator and the handler do it by code of their
/// own (compiler/eval/target.cpp, runtime/handler/http/normalise.cpp), and both tests go through this table. What is refused the
/// evaluator refuses at once; the handler writes it so that the decision function refuses it.
struct NormalFormRow {
  const char* target;
  const char* merged;
  bool merge_refuses;
  const char* decoded;
  bool decode_refuses;
};

inline constexpr NormalFormRow normal_form_rows[] = {
    {"/", "/", false, "/", false},
    {"/a/b", "/a/b", false, "/a/b", false},
    {"//", "/", false, "/", false},
    {"//a///b", "/a/b", false, "/a/b", false},
    {"/a//", "/a/", false, "/a/", false},
    {"/./a", "/a", false, "/a", false},
    {"/a/.", "/a/", false, "/a/", false},
    {"/a/./b", "/a/b", false, "/a/b", false},
    {"/a/..", "/", false, "/", false},
    {"/a/b/..", "/a/", false, "/a/", false},
    {"/a/b/../c", "/a/c", false, "/a/c", false},
    {"/a//../b", "/b", false, "/b", false},
    {"/a/...", "/a/...", false, "/a/...", false},
    {"/.a/..b/c.", "/.a/..b/c.", false, "/.a/..b/c.", false},
    {"/..", "/..", true, "/..", true},
    {"/a/../../b", "/../b", true, "/../b", true},
    {"/..//x/..", "/..//x/..", true, "/..//x/..", true},
    {"/%61", "/%61", true, "/a", false},
    {"/a%2Fb", "/a%2Fb", true, "/a/b", false},
    {"/a%2f%2fb", "/a%2f%2fb", true, "/a/b", false},
    {"/a%5Cb", "/a%5Cb", true, "/a/b", false},
    {"/a/%2e%2E/b", "/a/%2e%2E/b", true, "/b", false},
    {"/%2e%2e/b", "/%2e%2e/b", true, "/%2e%2e/b", true},
    {"/a%2F..%2fb", "/a%2F..%2fb", true, "/b", false},
    {"/%252e%252e/b", "/%252e%252e/b", false, "/%252e%252e/b", false},
    {"/y/../%5c%2E%2e/b", "/%5c%2E%2e/b", true, "/%2E%2e/b", true},
    {"/y/..%2f%2F../b", "/y/..%2f%2F../b", true, "/../b", true},
    {"/x//..%5C./../", "/x/..%5C./../", true, "/../", true},
    {"//a;/../b", "/a;/../b", true, "/a;/../b", true},
    {"/a//%41/..//", "/a/%41/..//", true, "/a/", false},
    {"//%00/../b", "/%00/../b", true, "/%00/../b", true},
    {"//%/../b", "/%/../b", true, "/%/../b", true},
    {"/a%3Bb%00%zz%4", "/a%3Bb%00%zz%4", true, "/a%3Bb%00%zz%4", true},
    {"/a//b?x//y/../z", "/a/b?x//y/../z", false, "/a/b?x//y/../z", false},
    {"/a?%41%2F%5C%26", "/a?%41%2F%5C%26", true, "/a?A/%5C%26", false},
    {"/a/..?/..", "/?/..", false, "/?/..", false},
    {"//?", "/?", false, "/?", false},
    {"//a;b/../c", "/a;b/../c", true, "/a;b/../c", true},
    {"//a\\/..", "/a\\/..", true, "/a\\/..", true},
    {"//a#/../c?d", "/a#/../c?d", true, "/a#/../c?d", true},
    {"//a%00/../c", "/a%00/../c", true, "/a%00/../c", true},
    {"//a%/../c", "/a%/../c", true, "/a%/../c", true},
    {"//a%2F/../c", "/a%2F/../c", true, "/c", false},
    {"/%%61a?%%61a", "/%%61a?%%61a", true, "/%%61a?%%61a", true},
    {"/%61?%61#%61", "/%61?%61#%61", true, "/a?a#%61", true},
    {"//a%2e/../c", "/a%2e/../c", true, "/c", false},
    {"/a\\b", "/a\\b", true, "/a\\b", true},
    {"/a;b", "/a;b", true, "/a;b", true},
    {"/a%00", "/a%00", true, "/a%00", true},
    {"/a%zz", "/a%zz", true, "/a%zz", true},
    {"/a?%41", "/a?%41", true, "/a?A", false},
    {"/a?%2F%5C%26", "/a?%2F%5C%26", true, "/a?/%5C%26", false},
    {"/a?%%61a", "/a?%%61a", true, "/a?%%61a", true},
};

}  // namespace heddle
