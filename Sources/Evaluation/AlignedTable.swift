/// Cells in aligned columns: the first one to the left, the others to the right.
enum AlignedTable {
  /// The lines of a table.
  ///
  /// - Parameter left: the number of columns that are aligned to the left.
  static func text(_ cells: [[String]], left: Int = 1) -> String {
    guard let first = cells.first else { return "" }
    let widths = first.indices.map { column in cells.map { $0[column].count }.max() ?? 0 }
    return cells.map { row in
      let line = row.enumerated().map { column, cell in
        let space = String(repeating: " ", count: widths[column] - cell.count)
        return column < left ? cell + space : space + cell
      }.joined(separator: "  ")
      return String(line.reversed().drop { $0 == " " }.reversed())
    }.joined(separator: "\n")
  }
}
