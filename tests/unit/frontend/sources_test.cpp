// Which files a command reads, and how they are called.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "compiler/cli/pipeline.h"

namespace heddle::cli {
namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

class Sources : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(root_);
    fs::create_directories(root_ / "policy/sub");
    fs::create_directories(root_ / "env");
    fs::create_directories(root_ / "nothing");
    write("policy/b.mesh");
    write("policy/a.mesh");
    write("policy/sub/c.mesh");
    write("policy/notes.txt");
    write("env/prod.mesh");
    fs::create_directory_symlink(root_ / "policy", root_ / "policy/loop");
    before_ = fs::current_path();
    fs::current_path(root_);
  }
  void TearDown() override {
    fs::current_path(before_);
    fs::remove_all(root_);
  }

  void write(const std::string& name) { std::ofstream(root_ / name) << "// " << name << "\n"; }

  /// `name (path)` of every file, in the order that the front end takes.
  static Strings read(const Strings& arguments) {
    source::SourceManager sources;
    const auto result = read_sources(arguments, sources);
    if (!result) return {"error: " + result.error().what};
    Strings files;
    for (const source::FileId id : sources.files_in_order())
      files.push_back(sources.name(id) + " (" + sources.path(id) + ")");
    return files;
  }

 private:
  fs::path root_ = fs::path(testing::TempDir()) / "heddle_sources";
  fs::path before_;
};

TEST_F(Sources, OfAFolder) {
  EXPECT_EQ(read({"policy"}),
            (Strings{"policy/a.mesh (a.mesh)", "policy/b.mesh (b.mesh)", "policy/sub/c.mesh (sub/c.mesh)"}));
  EXPECT_EQ(read({"policy/"}),
            (Strings{"policy/a.mesh (a.mesh)", "policy/b.mesh (b.mesh)", "policy/sub/c.mesh (sub/c.mesh)"}));
  EXPECT_EQ(read({"./env"}), Strings{"./env/prod.mesh (prod.mesh)"});
  EXPECT_EQ(read({"."}).size(), 4u);
}

TEST_F(Sources, PathsDoNotDependOnWhereThePolicyLies) {
  const Strings absolute = read({(fs::current_path() / "policy").string()});
  ASSERT_EQ(absolute.size(), 3u);
  EXPECT_NE(absolute[2].find("(sub/c.mesh)"), std::string::npos);
}

TEST_F(Sources, OfSeveralArgumentsInAnyOrder) {
  const Strings expected = {"policy/a.mesh (a.mesh)", "policy/b.mesh (b.mesh)", "env/prod.mesh (prod.mesh)",
                            "policy/sub/c.mesh (sub/c.mesh)"};
  EXPECT_EQ(read({"policy", "env/prod.mesh"}), expected);
  EXPECT_EQ(read({"env/prod.mesh", "policy"}), expected);
}

TEST_F(Sources, AFileCountsOnce) {
  EXPECT_EQ(read({"policy/a.mesh", "policy", "./policy/../policy/a.mesh"}).size(), 3u);
}

TEST_F(Sources, AnyNameOfAFileThatIsNamed) {
  EXPECT_EQ(read({"policy/notes.txt"}), Strings{"policy/notes.txt (notes.txt)"});
}

TEST_F(Sources, WhatCannotBeRead) {
  EXPECT_EQ(read({}), Strings{"error: no policy was named"});
  EXPECT_EQ(read({"missing"}), Strings{"error: no file or folder `missing`"});
  EXPECT_EQ(read({"nothing"}), Strings{"error: no `*.mesh` file below folder `nothing`"});
  EXPECT_EQ(read({"/dev/zero"}), Strings{"error: `/dev/zero` is a device, not a policy file"});
  EXPECT_EQ(read({"policy/a.mesh/x"}), Strings{"error: cannot open `policy/a.mesh/x`: Not a directory"});
}

TEST_F(Sources, OfALargeFileNoMoreThanItsSizeTellsIsRead) {
  std::ofstream("policy/large.mesh") << std::string(source::max_file_bytes + 1000, ' ');
  source::SourceManager sources;
  ASSERT_TRUE(read_sources({"policy/large.mesh"}, sources));
  EXPECT_EQ(sources.text(0).size(), source::max_file_bytes + 1);
}

}  // namespace
}  // namespace heddle::cli
