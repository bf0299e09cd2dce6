import Runtime
import Tensors

/// Computes the inner products of feature vectors, in f64.
struct InnerProducts {
  private let engine: Engine
  /// The number of rows that are computed together.
  private static let block = 512

  init(on engine: Engine) { self.engine = engine }

  /// Calls `body` with each vector of a set, by its number, and its products with all of another set.
  ///
  /// - Throws: the plugin's errors.
  func forEachRow(
    of rows: FeatureSet, with columns: FeatureSet,
    _ body: (_ row: Int, _ products: ArraySlice<Double>) throws -> Void
  ) throws {
    precondition(rows.width == columns.width, "products are of equally wide features")
    guard rows.count > 0, columns.count > 0 else { return }
    let block = min(Self.block, rows.count)
    let types = Named([
      ("rows", TensorType([block, rows.width], .float32)),
      ("columns", TensorType([columns.count, columns.width], .float32)),
    ])
    let function = try engine.compile(types) { a in
      let (rows, columns) = (
        a["rows"]!.cast(to: .float64), a["columns"]!.cast(to: .float64)
      )
      return Named([("products", rows.dot(columns, contracting: ([1], [1])))])
    }
    let all = try engine.array(columns.values, shape: [columns.count, columns.width])
    for start in stride(from: 0, to: rows.count, by: block) {
      // The last block ends with the last row; those before it are computed again.
      let first = min(start, rows.count - block)
      let given = try engine.array(
        Array(rows.values[first * rows.width..<(first + block) * rows.width]),
        shape: [block, rows.width])
      let products: [Double] = try function(Named([("rows", given), ("columns", all)]))[
        "products"]!.array()
      for row in start..<min(start + block, rows.count) {
        let place = (row - first) * columns.count
        try body(row, products[place..<place + columns.count])
      }
    }
  }
}
