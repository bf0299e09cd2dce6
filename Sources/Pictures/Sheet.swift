/// A page of small pictures in rows and columns, with a title, a caption and row names.
public struct Sheet: Sendable {
  /// The title.
  public var title: String
  /// The caption below the title.
  public var caption: String
  /// The names of the rows; empty for none.
  public var rows: [String]
  /// The number of pictures in a row.
  public var columns: Int
  /// The pictures, row by row, all of one size.
  public var pictures: [Picture]
  /// The factor by which pictures are enlarged.
  public var scale = 2

  /// Makes a sheet.
  public init(
    title: String, caption: String = "", rows: [String] = [], columns: Int, pictures: [Picture]
  ) {
    self.title = title
    self.caption = caption
    self.rows = rows
    self.columns = columns
    self.pictures = pictures
  }

  private static let margin = 20
  private static let gap = 4
  private static let head = 58

  private var cell: (width: Int, height: Int) {
    let first = pictures.first
    return ((first?.width ?? 1) * scale, (first?.height ?? 1) * scale)
  }

  private var rowCount: Int { (pictures.count + columns - 1) / columns }

  private func labelWidth(_ canvas: Canvas) -> Int {
    rows.isEmpty
      ? 0 : Int((rows.map { canvas.width(of: $0, size: 13) }.max() ?? 0).rounded(.up)) + 12
  }

  /// The sheet as a picture.
  ///
  /// - Throws: `PictureError.impossiblePage`.
  public var picture: Picture {
    get throws(PictureError) { try Sheet.page([self]) }
  }

  /// Several sheets side by side as one picture.
  ///
  /// - Throws: `PictureError.impossiblePage`.
  public static func page(_ sheets: [Sheet]) throws(PictureError) -> Picture {
    let ruler = try Canvas(width: 1, height: 1)
    let sizes = sheets.map { $0.size(ruler) }
    let width = sizes.reduce(0) { $0 + $1.width } + margin * (sheets.count + 1)
    let height = (sizes.map(\.height).max() ?? 0) + 2 * margin
    let canvas = try Canvas(width: width, height: height)
    var x = margin
    for (sheet, size) in zip(sheets, sizes) {
      sheet.draw(on: canvas, x: x, y: margin)
      x += size.width + margin
    }
    return canvas.picture
  }

  private func size(_ ruler: Canvas) -> (width: Int, height: Int) {
    let grid = columns * (cell.width + Self.gap) - Self.gap + labelWidth(ruler)
    let words = max(
      ruler.width(of: title, size: 18, bold: true), ruler.width(of: caption, size: 13))
    return (
      max(grid, Int(words.rounded(.up))),
      Self.head + rowCount * (cell.height + Self.gap) - Self.gap
    )
  }

  private func draw(on canvas: Canvas, x: Int, y: Int) {
    canvas.text(title, x: Double(x), y: Double(y + 18), size: 18, bold: true)
    canvas.text(caption, x: Double(x), y: Double(y + 40), size: 13, gray: 0.35)
    let left = x + labelWidth(canvas)
    for (i, picture) in pictures.enumerated() {
      let (row, column) = (i / columns, i % columns)
      canvas.picture(
        picture, x: left + column * (cell.width + Self.gap),
        y: y + Self.head + row * (cell.height + Self.gap), scale: scale)
    }
    for (row, name) in rows.enumerated() {
      let middle = y + Self.head + row * (cell.height + Self.gap) + cell.height / 2
      canvas.text(
        name, x: Double(left - 12), y: Double(middle + 5), size: 13, gray: 0.25, alignment: .right)
    }
  }
}
