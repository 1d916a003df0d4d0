#include <nlohmann/json.hpp>

#include "compiler/diagnostics/printable.h"
#include "compiler/diagnostics/render.h"

namespace heddle::diagnostics {

namespace {

using Json = nlohmann::ordered_json;

Json span_json(source::Span span, const source::SourceManager& sources) {
  const source::Position begin = sources.position(span.file, span.begin);
  const source::Position end = sources.position(span.file, span.end);
  Json json;
  json["file"] = printable(sources.name(span.file));
  json["begin"] = span.begin;
  json["end"] = span.end;
  json["line"] = begin.line;
  json["column"] = begin.column;
  json["end_line"] = end.line;
  json["end_column"] = end.column;
  return json;
}

const char* severity_text(Severity severity) {
  static constexpr const char* texts[] = {"error", "warning", "note"};
  return texts[static_cast<int>(severity)];
}

Json diagnostic_json(const Diagnostic& diagnostic, const source::SourceManager& sources) {
  Json json;
  json["code"] = diagnostic.kind->code;
  json["kind"] = diagnostic.kind->name;
  json["severity"] = severity_text(diagnostic.kind->severity);
  json["message"] = printable(diagnostic.message);
  json["span"] = span_json(diagnostic.span, sources);
  json["label"] = printable(diagnostic.label);
  json["labels"] = Json::array();
  for (const Label& label : diagnostic.labels) {
    json["labels"].push_back({{"span", span_json(label.span, sources)}, {"text", printable(label.text)}});
  }
  json["help"] = diagnostic.help;
  return json;
}

}  // namespace

std::string render_json(const Sink& sink, const source::SourceManager& sources) {
  Json json;
  json["diagnostics"] = Json::array();
  for (const Diagnostic& diagnostic : sink.sorted(sources)) {
    json["diagnostics"].push_back(diagnostic_json(diagnostic, sources));
  }
  json["errors"] = sink.error_count();
  json["warnings"] = sink.warning_count();
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace heddle::diagnostics
