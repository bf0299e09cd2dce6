import Models
import Pictures

/// A page of some prompts: the real picture of each beside those that models make.
public struct PromptSheet {
  /// The lines that are shown, in the order of the evaluation.
  public let lines: [Int]
  private let set: PromptSet
  private let size: ImageSize
  private var sheets: [Sheet] = []

  /// The most prompts that are shown.
  public static let most = 24
  /// The most pictures of a prompt that are shown of each model.
  private static let columns = 4
  /// The longest side of a picture; larger ones are reduced.
  private static let largest = 256

  /// Chooses the prompts, evenly over those of each split.
  public init(_ evaluation: PromptEvaluation) {
    (set, size) = (evaluation.set, evaluation.size)
    let splits = evaluation.chosen
    let each = max(1, Self.most / max(1, splits.count))
    lines = splits.flatMap { _, lines in
      let count = min(each, lines.count)
      return (0..<count).map { lines[($0 * 2 + 1) * lines.count / (2 * count)] }
    }
  }

  /// Adds the real pictures.
  ///
  /// - Throws: `EvaluationError.damagedLine`.
  public mutating func addReal() throws {
    guard lines.allSatisfy({ set.lines[$0].picture != nil }) else { return }
    let pictures = try lines.map { try RealPictures.read(set.lines[$0], in: set, size) }
    add(PromptReport.real, "", pictures, columns: 1)
  }

  /// Adds the pictures of a model.
  public mutating func add(_ result: PromptEvaluation.Result) {
    guard let row = result.rows.first, let steps = row.steps else { return }
    let columns = min(Self.columns, result.kept.values.map(\.count).min() ?? 0)
    let pictures = lines.flatMap { (result.kept[$0] ?? []).prefix(columns) }
    let guidance = row.guidance.flatMap { $0 == 0 ? nil : ", guidance \($0)" } ?? ""
    add(
      row.name, "\(steps) step\(steps == 1 ? "" : "s")\(guidance)", pictures, columns: columns)
  }

  private mutating func add(
    _ title: String, _ caption: String, _ pictures: [RGBImage], columns: Int
  ) {
    guard columns > 0 else { return }
    let longest = max(size.width, size.height)
    let shown = pictures.map { picture in
      guard longest > Self.largest else { return picture.picture }
      let side = { (length: Int) in max(1, length * Self.largest / longest) }
      return picture.resized(
        width: side(size.width), height: side(size.height), filter: .bicubic
      ).picture
    }
    var sheet = Sheet(title: title, caption: caption, columns: columns, pictures: shown)
    sheet.scale = longest <= 96 ? 2 : 1
    if sheets.isEmpty {
      sheet.rows = lines.map { line in
        let prompt = set.lines[line].prompt
        return prompt.count <= 40 ? prompt : prompt.prefix(39) + "…"
      }
    }
    sheets.append(sheet)
  }

  /// Writes the page as a PNG file.
  ///
  /// - Throws: `PictureError.impossiblePage`, and the errors of writing.
  public func write(to path: String, texts: [(key: String, text: String)] = []) throws {
    try Sheet.page(sheets).write(to: path, texts: texts)
  }
}
