#include "host/model/pipeline_choice.hpp"

#include <algorithm>

#include "host/error/error.hpp"
#include "host/error/letter_case.hpp"
#include "host/selection/rivals.hpp"

namespace fastvideo::host {
namespace {

std::string full_name_of(const CatalogItem* item) { return item->item->full_name(); }

bool is_called(const CatalogItem& item, const std::string& name) {
  return same_name(name, item.item->name) || same_name(name, item.item->full_name());
}

}  // namespace

std::vector<const CatalogItem*> possible_pipelines(const Settings& settings, const Catalog& catalog,
                                                   const ModelFolder& folder) {
  const Setting& asked = settings.at("request.pipeline");
  const std::string& name = asked.value.string();
  std::vector<const CatalogItem*> serving;
  std::vector<std::string> served;
  for (const CatalogItem* item : catalog.offered("pipeline")) {
    const std::vector<std::string>& classes = item->item->model_classes;
    if (std::ranges::count(classes, folder.class_name) > 0) serving.push_back(item);
    served.insert(served.end(), classes.begin(), classes.end());
  }
  if (serving.empty())
    throw RequestError((folder.path / "model_index.json").string() + ": no installed pipeline serves the class " +
                       folder.class_name + (served.empty() ? "; none is installed" : "; served are " + joined(served)));
  std::ranges::sort(serving, {}, full_name_of);
  if (same_name(name, "auto")) return serving;
  const std::string those = joined(serving, ", ", full_name_of);
  std::vector<std::string> names;
  for (const CatalogItem* item : serving) names.insert(names.end(), {item->item->name, item->item->full_name()});
  std::erase_if(serving, [&](const CatalogItem* one) { return !is_called(*one, name); });
  if (!serving.empty()) return serving;
  throw RequestError(asked.source.describe() + ": no installed pipeline called '" + name + "' serves the class " +
                         folder.class_name + did_you_mean(name, names) + "; these do: " + those,
                     "request.pipeline");
}

const CatalogItem& chosen_pipeline(const std::vector<const CatalogItem*>& possible, const ModelFolder& folder,
                                   const RunDevice& device) {
  const OnDevice fitting = on_device(possible, device.facts);
  if (fitting.items.empty())
    throw RequestError("no pipeline of the class " + folder.class_name + " runs on " + device.name + " (" + device.why +
                       ")" + refusal_table(fitting.others));
  return one_of_rivals(fitting.items, "the class " + folder.class_name, "--pipeline ");
}

}  // namespace fastvideo::host
