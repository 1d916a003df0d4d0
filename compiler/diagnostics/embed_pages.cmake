# cmake -DPAGES=folder -DOUT=pages.cpp -P embed_pages.cmake: the pages of the diagnostics as a table in C++.
file(GLOB pages ${PAGES}/*.md)
list(SORT pages)
set(rows "")
foreach(page IN LISTS pages)
  get_filename_component(code ${page} NAME_WE)
  file(READ ${page} text)
  string(APPEND rows "    {\"${code}\", R\"heddle_page(${text})heddle_page\"},\n")
endforeach()
file(WRITE ${OUT}
  "#include \"compiler/diagnostics/pages.h\"\n\n"
  "namespace heddle::diagnostics {\n\nnamespace {\n"
  "struct Page {\n  std::string_view code;\n  std::string_view text;\n};\n"
  "constexpr Page pages[] = {\n    {\"\", \"\"},\n${rows}};\n}  // namespace\n\n"
  "std::optional<std::string_view> find_page(std::string_view code) {\n"
  "  for (const Page& page : pages) {\n    if (!code.empty() && page.code == code) return page.text;\n  }\n"
  "  return std::nullopt;\n}\n\n}  // namespace heddle::diagnostics\n")
