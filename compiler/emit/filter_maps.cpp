#include <llvm/BinaryFormat/Dwarf.h>
#include <llvm/IR/DebugInfoMetadata.h>
#include <llvm/IR/GlobalVariable.h>

#include <map>
#include <optional>

#include "compiler/emit/filter_check.h"

namespace heddle::emit {
namespace {

using llvm::dyn_cast_or_null;

constexpr std::uint64_t kernel_hash = 1;
constexpr std::uint64_t kernel_array = 2;
constexpr std::uint32_t no_prealloc = 1;
constexpr std::uint64_t most_bytes = 64ULL << 20;

const llvm::DIType* without_names(const llvm::DIType* type) {
  while (const auto* derived = dyn_cast_or_null<llvm::DIDerivedType>(type)) {
    const unsigned tag = derived->getTag();
    if (tag != llvm::dwarf::DW_TAG_typedef && tag != llvm::dwarf::DW_TAG_const_type &&
        tag != llvm::dwarf::DW_TAG_volatile_type)
      break;
    type = derived->getBaseType();
  }
  return type;
}

/// What a member of a map's declaration points to.
const llvm::DIType* pointed_to(const llvm::DIDerivedType& member) {
  const auto* pointer = dyn_cast_or_null<llvm::DIDerivedType>(without_names(member.getBaseType()));
  if (pointer == nullptr || pointer->getTag() != llvm::dwarf::DW_TAG_pointer_type) return nullptr;
  return without_names(pointer->getBaseType());
}

/// `__uint(name, value)`: the number of elements of the array that it points to.
std::optional<std::uint64_t> number_of(const llvm::DIDerivedType& member) {
  const auto* array = dyn_cast_or_null<llvm::DICompositeType>(pointed_to(member));
  if (array == nullptr || array->getTag() != llvm::dwarf::DW_TAG_array_type || array->getElements().size() != 1)
    return std::nullopt;
  const auto* range = dyn_cast_or_null<llvm::DISubrange>(array->getElements()[0]);
  if (range == nullptr) return std::nullopt;
  const auto count = range->getCount();
  const auto* number = count.dyn_cast<llvm::ConstantInt*>();
  if (number == nullptr || number->getSExtValue() < 0) return std::nullopt;
  return number->getZExtValue();
}

/// `__type(name, type)`: its size in bytes.
std::uint64_t size_of(const llvm::DIDerivedType& member) {
  const llvm::DIType* type = pointed_to(member);
  return type == nullptr ? 0 : type->getSizeInBits() / 8;
}

class MapReader {
 public:
  MapReader(const llvm::DIGlobalVariable& variable, std::vector<FilterProblem>& problems)
      : variable_(variable), problems_(problems) {}

  std::optional<FilterMap> read() {
    const auto* type = dyn_cast_or_null<llvm::DICompositeType>(without_names(variable_.getType()));
    if (type == nullptr || type->getTag() != llvm::dwarf::DW_TAG_structure_type) return refuse("is no `struct`");
    map_.name = variable_.getName().str();
    for (const llvm::DINode* element : type->getElements()) {
      const auto* member = dyn_cast_or_null<llvm::DIDerivedType>(element);
      if (member == nullptr || !take(*member)) return refuse("says `" + (member ? member->getName().str() : "") + "`");
    }
    return check();
  }

 private:
  bool take(const llvm::DIDerivedType& member) {
    const llvm::StringRef name = member.getName();
    if (name == "key") return (key_ = size_of(member)) != 0;
    if (name == "value") return (value_ = size_of(member)) != 0;
    const auto number = number_of(member);
    if (!number) return false;
    if (name == "type") return (type_ = *number) != 0;
    if (name == "max_entries") return (entries_ = *number) != 0;
    if (name == "map_flags") return (flags_ = *number) <= UINT32_MAX;
    return false;
  }

  std::optional<FilterMap> check() {
    if (type_ != kernel_hash && type_ != kernel_array)
      return refuse("is neither `BPF_MAP_TYPE_HASH` nor `BPF_MAP_TYPE_ARRAY`");
    map_.hash = type_ == kernel_hash;
    if (key_ == 0 || value_ == 0 || entries_ == 0) return refuse("does not say its `key`, `value` and `max_entries`");
    if (!map_.hash && key_ != 4) return refuse("is an array, and its `key` is no `__u32`");
    if (key_ > 512 || value_ > 65536) return refuse("has keys of more than 512 or values of more than 65536 bytes");
    if (flags_ != 0 && (!map_.hash || flags_ != no_prealloc)) return refuse("has `map_flags` other than `BPF_F_NO_PREALLOC`");
    if (entries_ > most_bytes / (key_ + value_)) return refuse("has more than 64 MiB of entries");
    map_.key_size = static_cast<std::uint32_t>(key_);
    map_.value_size = static_cast<std::uint32_t>(value_);
    map_.max_entries = static_cast<std::uint32_t>(entries_);
    map_.flags = static_cast<std::uint32_t>(flags_);
    return map_;
  }

  std::optional<FilterMap> refuse(const std::string& why) {
    problems_.push_back({FilterProblem::Kind::map, "map `" + variable_.getName().str() + "` " + why,
                         "a map has `type` (a hash or an array), `max_entries`, `key`, `value`, and perhaps `map_flags`",
                         variable_.getLine(), 0});
    return std::nullopt;
  }

  const llvm::DIGlobalVariable& variable_;
  std::vector<FilterProblem>& problems_;
  FilterMap map_;
  std::uint64_t type_ = 0;
  std::uint64_t key_ = 0;
  std::uint64_t value_ = 0;
  std::uint64_t entries_ = 0;
  std::uint64_t flags_ = 0;
};

const llvm::DIGlobalVariable* debug_of(const llvm::GlobalVariable& variable) {
  llvm::SmallVector<llvm::DIGlobalVariableExpression*, 1> found;
  variable.getDebugInfo(found);
  return found.empty() ? nullptr : found.front()->getVariable();
}

}  // namespace

std::vector<FilterMap> read_filter_maps(const llvm::Module& module, std::vector<FilterProblem>& problems) {
  std::vector<FilterMap> maps;
  for (const llvm::GlobalVariable& variable : module.globals()) {
    if (variable.getName().starts_with("llvm.") && variable.getName().ends_with("used")) continue;
    const llvm::DIGlobalVariable* debug = debug_of(variable);
    if (variable.hasSection() && variable.getSection() == ".maps" && debug != nullptr) {
      if (auto map = MapReader(*debug, problems).read()) maps.push_back(std::move(*map));
      continue;
    }
    const bool named = debug != nullptr && !debug->getName().empty();
    const std::string name = named ? "variable `" + debug->getName().str() + "`" : "a text or a table of constants";
    problems.push_back({FilterProblem::Kind::forbidden, "keeps " + name + " outside of its maps",
                        "put it into a map, or write its values where they are used", debug != nullptr ? debug->getLine() : 0, 0});
  }
  return maps;
}

}  // namespace heddle::emit
