import Runtime

/// Whether pictures are nearest to those that they are to show, among all of a gallery, by the cosine of
/// their features.
public struct Retrieval: Sendable, Equatable {
  /// For each picture the number of gallery pictures that are nearer than its own one.
  public let ranks: [Int]

  /// Looks pictures up in a gallery.
  ///
  /// - Parameter wanted: the number of each picture's own one in the gallery.
  /// - Throws: the plugin's errors.
  public init(
    _ pictures: FeatureSet, wanted: [Int], in gallery: FeatureSet, on engine: Engine
  ) throws {
    precondition(wanted.count == pictures.count, "each picture has one that it is to show")
    var ranks: [Int] = []
    let products = InnerProducts(on: engine)
    try products.forEachRow(of: pictures.normalized, with: gallery.normalized) { row, products in
      let own = products[products.startIndex + wanted[row]]
      ranks.append(products.count { $0 > own })
    }
    self.ranks = ranks
  }

  /// The fraction of pictures whose own one is among the k nearest.
  public func top(_ k: Int) -> Double {
    Double(ranks.count { $0 < k }) / Double(max(1, ranks.count))
  }
}
