import Tensors
import Weights

extension Named<HostArray> {
  /// These parameters as the arrays that they are on disk, the layers of a stack one by one.
  func onDisk(_ names: NameMap) -> Named {
    let shapes = mapValues { Shape($0.shape) }
    var disk = Named()
    for (name, array) in pairs {
      for piece in names.pieces(of: name, shapes: shapes) {
        let zeros = [Float](repeating: 0, count: piece.shape.reduce(1, *))
        var values = disk[piece.disk]?.values ?? zeros
        values.copy(from: array.values, Region(whole: Shape(array.shape)), to: piece.box)
        disk[piece.disk] = HostArray(values, piece.diskShape)
      }
    }
    return disk
  }

  /// The parameters of given shapes that arrays on disk hold.
  ///
  /// - Returns: nil where an array is missing or of another shape.
  func parameters(_ shapes: Named<Shape>, _ names: NameMap) -> Named? {
    var parameters = Named()
    for (name, shape) in shapes.pairs {
      var values = [Float](repeating: 0, count: shape.count)
      for piece in names.pieces(of: name, shapes: shapes) {
        guard let array = self[piece.disk], array.shape == piece.diskShape else { return nil }
        values.copy(from: array.values, piece.box, to: Region(whole: shape))
      }
      parameters[name] = HostArray(values, shape.sizes)
    }
    return parameters
  }
}

extension [Float] {
  /// Copies the intersection of two regions from another array.
  fileprivate mutating func copy(from other: [Float], _ source: Region, to target: Region) {
    other.withUnsafeBytes { other in
      withUnsafeMutableBytes { target.copy(from: source, other, to: $0, width: 4) }
    }
  }
}
