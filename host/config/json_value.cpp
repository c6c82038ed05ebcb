#include "host/config/json_value.hpp"

#include <nlohmann/json.hpp>

namespace fastvideo::host {

using OrderedJson = nlohmann::ordered_json;

OrderedJson json_of(const Value& value) {
  switch (value.type()) {
    case FV_VALUE_BOOL:
      return value.boolean();
    case FV_VALUE_INT:
      return value.integer();
    case FV_VALUE_FLOAT:
      return value.number();
    case FV_VALUE_STRING:
      return value.string();
    case FV_VALUE_LIST: {
      OrderedJson list = OrderedJson::array();
      for (const Value& item : value.list()) list.push_back(json_of(item));
      return list;
    }
    case FV_VALUE_TABLE: {
      OrderedJson table = OrderedJson::object();
      for (const Entry& entry : value.table()) table[entry.name] = json_of(entry.value);
      return table;
    }
    default:
      return nullptr;
  }
}

}  // namespace fastvideo::host
