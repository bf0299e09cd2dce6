/// Writes the reference of recipes: every key with its values, its default and its meaning.
public enum RecipeReference {
  /// The keys of a kind of recipe as Markdown.
  ///
  /// - Parameter title: the heading of its topmost keys.
  public static func text(of recipe: (some DocumentedKeys).Type, title: String) -> String {
    recipe.tables.map { section($0, title: title) }.joined(separator: "\n")
  }

  private static func section(_ table: RecipeTable, title: String) -> String {
    let path = table.path.joined(separator: ".")
    let name = path.isEmpty ? title : "`\(path)`"
    let level = path.isEmpty ? "##" : "###"
    var lines = ["\(level) \(name)" + (table.condition.map { ", \($0)" } ?? ""), ""]
    if !table.summary.isEmpty { lines += [table.summary, ""] }
    if table.rows.isEmpty {
      lines += ["No keys of its own.", ""]
    } else {
      lines += ["| key | value | default | meaning |", "|---|---|---|---|"]
      lines += table.rows.map { row in
        let cells = ["`\(row.key)`", row.value, row.standard, row.meaning]
        return "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |"
      }
      lines.append("")
    }
    return lines.joined(separator: "\n")
  }
}
