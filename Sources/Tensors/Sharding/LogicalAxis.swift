/// What an axis of a weight or of a value in the network stands for; the rules of sharding go by it.
public enum LogicalAxis: String, Hashable, Sendable {
  /// Samples.
  case batch
  /// The features of the state that runs through a network, on weights.
  case embed
  /// The features of all heads of attention.
  case heads
  /// The features inside a perceptron.
  case hidden

  /// The axes of the mesh that it is split over, the first one coarsest.
  public var meshAxes: [Mesh.Axis] {
    switch self {
    case .batch: [.data, .fsdp]
    case .embed: [.fsdp]
    case .heads, .hidden: [.tensor]
    }
  }
}

/// How an array is split over a mesh: for each of its axes what that stands for, nil for one that
/// stays whole; axes that are not listed stay whole.
public struct Sharding: Hashable, Sendable {
  /// What the axes stand for.
  public let axes: [LogicalAxis?]

  /// Makes a sharding.
  public init(_ axes: [LogicalAxis?] = []) {
    let used = axes.compactMap { $0?.meshAxes }.joined()
    precondition(Set(used).count == used.count, "\(axes) would be split over one axis twice")
    self.axes = axes
  }

  /// An array that is whole on every device.
  public static let whole = Sharding()

  /// The axes of the mesh that an axis of the array is split over.
  private func meshAxes(_ axis: Int) -> [Mesh.Axis] {
    axis < axes.count ? axes[axis]?.meshAxes ?? [] : []
  }

  /// Into how many parts an axis of the array is split.
  func parts(_ axis: Int, _ mesh: Mesh) -> Int {
    meshAxes(axis).reduce(1) { $0 * mesh[$1] }
  }

  /// The first axis that cannot be split into equal parts, nil where all can.
  public func misfit(_ shape: Shape, _ mesh: Mesh) -> (axis: Int, parts: Int)? {
    for axis in 0..<shape.rank where shape[axis] % parts(axis, mesh) != 0 {
      return (axis, parts(axis, mesh))
    }
    return nil
  }

  /// The shape on each device; every axis must be divisible.
  public func local(_ shape: Shape, _ mesh: Mesh) -> Shape {
    Shape(shape.sizes.enumerated().map { $1 / parts($0, mesh) })
  }

  /// The part of an array that a device has.
  public func region(_ shape: Shape, of device: Int, _ mesh: Mesh) -> Region {
    let local = local(shape, mesh)
    let start = shape.sizes.indices.map { axis in
      let place = meshAxes(axis).reduce(0) {
        $0 * mesh[$1] + mesh.place(of: device, on: $1)
      }
      return place * local[axis]
    }
    return Region(start: start, sizes: local.sizes)
  }

  /// The sharding of an array of a rank in the text of programs.
  ///
  /// - Parameter attribute: whether it stands for itself, and not in a list of shardings.
  func text(rank: Int, attribute: Bool = true) -> String {
    let parts = (0..<rank).map { axis in
      "{" + meshAxes(axis).map { "\"\($0.rawValue)\"" }.joined(separator: ", ") + "}"
    }
    return "\(attribute ? "#sdy.sharding" : "")<@mesh, [\(parts.joined(separator: ", "))]>"
  }
}

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

  /// A whole array.
  public init(whole shape: Shape) {
    self.init(start: shape.sizes.map { _ in 0 }, sizes: shape.sizes)
  }

  /// What two boxes of one array share, nil where they share nothing.
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

  /// The elements of this box, which lies within another one.
  public func bytes(of other: Region, _ source: UnsafeRawBufferPointer, width: Int) -> [UInt8] {
    let count = sizes.reduce(width, *)
    return [UInt8](unsafeUninitializedCapacity: count) { memory, initialized in
      copy(from: other, source, to: UnsafeMutableRawBufferPointer(memory), width: width)
      initialized = count
    }
  }

  /// Copies what this box shares with another one, each stored dense and row-major on its own.
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
    // The trailing axes that are whole in all three boxes are copied at once.
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
