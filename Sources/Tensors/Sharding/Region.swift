/// A box within an array.
public struct Region: Hashable, Sendable {
  /// Its first index on each axis.
  public let start: [Int]
  /// Its size on each axis.
  public let sizes: [Int]

  /// Makes a box.
  public init(start: [Int], sizes: [Int]) {
    precondition(start.count == sizes.count, "a region's start and sizes have as many axes")
    (self.start, self.sizes) = (start, sizes)
  }

  /// The region of a whole array.
  public init(whole shape: Shape) {
    self.init(start: shape.sizes.map { _ in 0 }, sizes: shape.sizes)
  }

  /// The intersection with another box of the same array, nil where it is empty.
  public func intersection(_ other: Region) -> Region? {
    var (start, sizes): ([Int], [Int]) = ([], [])
    for axis in self.start.indices {
      let low = max(self.start[axis], other.start[axis])
      let high = min(
        self.start[axis] + self.sizes[axis], other.start[axis] + other.sizes[axis])
      guard low < high else { return nil }
      start.append(low)
      sizes.append(high - low)
    }
    return Region(start: start, sizes: sizes)
  }

  /// The elements of this box, which must be within another one.
  public func bytes(of other: Region, _ source: UnsafeRawBufferPointer, width: Int) -> [UInt8] {
    let count = sizes.reduce(width, *)
    return [UInt8](unsafeUninitializedCapacity: count) { memory, initialized in
      copy(from: other, source, to: UnsafeMutableRawBufferPointer(memory), width: width)
      initialized = count
    }
  }

  /// Copies the intersection with another box; each box is stored dense and row-major.
  ///
  /// - Parameters:
  ///   - source: the elements of `other`.
  ///   - target: the elements of this box.
  ///   - width: the bytes of an element.
  public func copy(
    from other: Region, _ source: UnsafeRawBufferPointer,
    to target: UnsafeMutableRawBufferPointer, width: Int
  ) {
    guard let shared = intersection(other) else { return }
    // The trailing axes that all three boxes cover in full are copied in one run.
    var run = width
    var axis = shared.sizes.count
    while axis > 0 {
      axis -= 1
      run *= shared.sizes[axis]
      let size = shared.sizes[axis]
      if size != sizes[axis] || size != other.sizes[axis] { break }
    }
    let strides = { (sizes: [Int]) in
      sizes.indices.map { sizes[($0 + 1)...].reduce(width, *) }
    }
    let (from, to) = (strides(other.sizes), strides(sizes))
    var index = shared.start
    while true {
      var (source_, target_) = (0, 0)
      for axis in index.indices {
        source_ += (index[axis] - other.start[axis]) * from[axis]
        target_ += (index[axis] - start[axis]) * to[axis]
      }
      UnsafeMutableRawBufferPointer(rebasing: target[target_..<target_ + run])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[source_..<source_ + run]))
      // The next run, odometer-wise over the leading axes.
      var leading = axis - 1
      while leading >= 0 {
        index[leading] += 1
        if index[leading] < shared.start[leading] + shared.sizes[leading] { break }
        index[leading] = shared.start[leading]
        leading -= 1
      }
      if leading < 0 { return }
    }
  }
}
