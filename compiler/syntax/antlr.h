#pragma once

/// ANTLR's headers, which only this folder sees.

#include <ANTLRErrorStrategy.h>
#include <BailErrorStrategy.h>
#include <CharStream.h>
#include <CommonTokenStream.h>
#include <ListTokenSource.h>
#include <MeshLexer.h>
#include <MeshParser.h>
#include <ParserRuleContext.h>
#include <Token.h>

namespace heddle::syntax {

using Lexer = generated::MeshLexer;
using Parser = generated::MeshParser;
using Tokens = std::vector<std::unique_ptr<antlr4::Token>>;

}  // namespace heddle::syntax
