import Datasets
import Foundation

/// The result of an inspection as text.
struct DataInspectionText {
  let inspection: DataInspection
  /// Whether the sizes of training are known.
  let showsSizes: Bool
  /// The number of samples of a batch, nil where it is not known.
  let batch: Int?

  init(_ inspection: DataInspection, showsSizes: Bool, batch: Int?) {
    (self.inspection, self.showsSizes, self.batch) = (inspection, showsSizes, batch)
  }

  /// The lines.
  var text: String {
    let lengths = inspection.prompts
    var lines = ["\(inspection.path): \(inspection.kind)"]
    lines.append(line("samples", "\(inspection.count)"))
    if lengths.count > 0 {
      let range =
        lengths.shortest == lengths.longest
        ? "\(lengths.longest)" : "\(lengths.shortest) to \(lengths.longest)"
      lines.append(
        line(
          "prompts", "\(lengths.count) of \(range) characters, the median \(lengths.median)"))
    }
    lines += list(
      "repeated", inspection.frequentPrompts.map { "\($0.count) × \(Self.short($0.prompt))" },
      of: inspection.frequentPrompts.count, most: 5)
    if !inspection.sizes.isEmpty { lines += sizes }
    lines += list(
      "equal", inspection.duplicates.map { $0.joined(separator: " = ") },
      of: inspection.duplicateCount, most: 10)
    lines += list("damaged", inspection.damaged, of: inspection.damaged.count, most: 20)
    lines += list(
      "wrong", inspection.problems.first.map(\.description), of: inspection.problems.count,
      most: DataProblems.most)
    return (lines + [verdict]).joined(separator: "\n")
  }

  private var sizes: [String] {
    let all = inspection.sizes
    let shown = all.prefix(5).map { "\($0.size.height) × \($0.size.width): \($0.count)" }
    let rest = all.dropFirst(5)
    let others = rest.reduce(0) { $0 + $1.count }
    var lines = [
      line(
        "sizes",
        shown.joined(separator: ", ")
          + (rest.isEmpty ? "" : ", \(rest.count) others: \(others)") + "  (height × width)")
    ]
    guard showsSizes else { return lines }
    lines += inspection.buckets.enumerated().map { number, bucket in
      let few =
        batch.map { bucket.count < $0 && bucket.count > 0 && inspection.buckets.count > 1 } ?? false
      return line(
        number == 0 ? "brought to" : "",
        "\(bucket.size[0]) × \(bucket.size[1]): \(bucket.count)"
          + (few ? "  (fewer than a batch: they wait for those of the next epoch)" : ""))
    }
    if inspection.smaller > 0 {
      lines.append(line("enlarged", "\(inspection.smaller) pictures are smaller than that"))
    }
    return lines
  }

  /// What training would make of the data.
  private var verdict: String {
    if inspection.count == 0, inspection.problems.count == 0 {
      return "There is nothing to train on."
    }
    if inspection.problems.count > 0 { return "Training would stop: see what is wrong above." }
    if inspection.damaged.count > inspection.maxDamaged {
      return
        "Training would stop: at most \(inspection.maxDamaged) damaged pictures are left out "
        + "(data.max_damaged)."
    }
    let usable = inspection.count - inspection.damaged.count
    if let batch, usable < batch {
      return "Training would stop: a batch takes \(batch) samples. Add samples, or set batch to "
        + "\(usable) or less."
    }
    return inspection.damaged.isEmpty
      ? "Nothing is missing or damaged."
      : "Training would leave out \(inspection.damaged.count) damaged "
        + "picture\(inspection.damaged.count == 1 ? "" : "s")."
  }

  private func line(_ name: String, _ text: String) -> String {
    "  " + name + String(repeating: " ", count: max(1, 12 - name.count)) + text
  }

  /// A number of things below each other.
  private func list(_ name: String, _ items: [String], of count: Int, most: Int) -> [String] {
    guard count > 0 else { return [] }
    let shown = items.prefix(most)
    var lines = shown.enumerated().map { line($0 == 0 ? name : "", $1) }
    if count > shown.count { lines.append(line("", "and \(count - shown.count) more")) }
    return lines
  }

  /// The beginning of a text.
  private static func short(_ text: String) -> String {
    text.count <= 60 ? text : text.prefix(57) + "…"
  }
}
