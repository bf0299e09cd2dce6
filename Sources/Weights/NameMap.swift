import Tensors

/// The names and layout of a network's parameters on disk, in both directions.
///
/// In memory the layers of a stack are one array with a leading axis, and `*` in its name stands for
/// the layer's number; on disk each layer is a separate array, as in published checkpoints:
/// `blocks.*.mlp.input.weight` `[6, …]` is `blocks.0.mlp.input.weight` … `blocks.5.mlp.input.weight`.
/// `*+13` stands for the numbers from 13 on.
/// Rules describe the other differences. The same table reads and writes checkpoints and LoRA files.
public struct NameMap: Hashable, Sendable {
  /// One difference between memory and disk. Names are complete or leading components.
  public enum Rule: Hashable, Sendable {
    /// The name `memory` in memory is `disk` on disk.
    case rename(_ memory: String, to: String)
    /// The maps `memory` are, one after the other along the first axis of a layer's array, the one map
    /// `disk`: such as separate queries, keys and values that a checkpoint has fused.
    case split(disk: String, _ memory: [String])
    /// The map `memory` is, along the first axis of a layer's array, the maps `disk` of equal sizes.
    case join(disk: [String], _ memory: String)
    /// The matrix `memory` is, on disk, the kernel of a convolution with one tap, with so many more axes
    /// of size 1 at its end. A rule of another kind may rename it.
    case pointwise(_ memory: String, axes: Int)
    /// The map `memory` has, on disk, the two halves of its first axis in the other order. A rule of
    /// another kind may rename it.
    case swapHalves(_ memory: String)
  }

  /// The rules; for each name the first of a kind that fits applies, `rename` last.
  public let rules: [Rule]
  /// Whether the layers of a stack are one array on disk too, under a name without `*`.
  public let keepsStacks: Bool
  /// The prefix of every name on disk, such as `transformer.` in LoRA files.
  public var prefix = ""

  /// Makes a table.
  public init(_ rules: [Rule] = [], keepsStacks: Bool = false) {
    self.rules = rules
    self.keepsStacks = keepsStacks
  }

  /// A part of a parameter, and the array on disk that holds it.
  package struct Piece: Hashable, Sendable {
    /// The array's name on disk.
    package let disk: String
    /// The shape of the array without its unit axes.
    package let shape: [Int]
    /// The region of the whole array in the parameter's coordinates; it may reach beyond the
    /// parameter.
    package let box: Region
    /// The axes of size 1 that the array has after those of the parameter.
    package var unitAxes = 0

    /// The shape that the array must have, with its unit axes.
    package var diskShape: [Int] { shape + [Int](repeating: 1, count: unitAxes) }
  }

  /// The arrays on disk that hold a parameter.
  ///
  /// - Parameters:
  ///   - name: its name in memory.
  ///   - shapes: the shapes of all parameters.
  package func pieces(of name: String, shapes: Named<Shape>) -> [Piece] {
    let axes = rules.lazy.compactMap { rule in
      if case .pointwise(name, let axes) = rule { axes } else { nil }
    }.first
    return matrices(of: name, shapes: shapes).map { piece in
      var piece = piece
      piece.unitAxes = axes ?? 0
      return piece
    }
  }

  /// The arrays on disk that hold a parameter, without their unit axes.
  private func matrices(of name: String, shapes: Named<Shape>) -> [Piece] {
    guard let shape = shapes[name] else { preconditionFailure("\(name) is no parameter") }
    let isStack = name.split(separator: ".").contains { Self.firstLayer($0) != nil }
    precondition(!isStack || shape.rank > 0, "\(name) has no axis over layers")
    let layer = isStack ? Array(shape.sizes.dropFirst()) : shape.sizes
    let parts = layout(of: name, layer, shapes)
    guard isStack else {
      return parts.map { part in
        Piece(
          disk: part.disk, shape: part.shape, box: Region(start: part.start, sizes: part.shape))
      }
    }
    guard !keepsStacks else {
      return parts.map { part in
        let sizes = [shape[0]] + part.shape
        return Piece(
          disk: Self.withoutStar(part.disk), shape: sizes,
          box: Region(start: [0] + part.start, sizes: sizes))
      }
    }
    return (0..<shape[0]).flatMap { number in
      parts.map { part in
        Piece(
          disk: Self.numbered(part.disk, number), shape: part.shape,
          box: Region(start: [number] + part.start, sizes: [1] + part.shape))
      }
    }
  }

  /// The names of the arrays on disk that hold a parameter, those of a stack layer by layer.
  ///
  /// - Parameter shapes: the shapes of all parameters.
  public func arrays(of name: String, shapes: Named<Shape>) -> [String] {
    pieces(of: name, shapes: shapes).map(\.disk)
  }

  /// The starts of the arrays on disk in the array of one layer, and their names with `*`.
  private func layout(
    of name: String, _ shape: [Int], _ shapes: Named<Shape>
  ) -> [(disk: String, shape: [Int], start: [Int])] {
    let origin = [Int](repeating: 0, count: shape.count)
    for rule in rules {
      switch rule {
      case .rename, .pointwise: continue
      case .swapHalves(let memory):
        guard Self.rest(of: name, after: memory) != nil, !shape.isEmpty else { continue }
        precondition(shape[0] % 2 == 0, "\(name) \(shape) has no two halves")
        let half = shape[0] / 2
        return [-half, half].map { (renamed(name), shape, [$0] + origin.dropFirst()) }
      case .split(let disk, let memory):
        guard let place = memory.firstIndex(where: { Self.rest(of: name, after: $0) != nil }),
          let rest = Self.rest(of: name, after: memory[place]), !shape.isEmpty
        else { continue }
        let sizes = memory.map { map -> Int in
          let sibling = shapes[map + rest].map { sibling in
            map.contains("*") ? Array(sibling.sizes.dropFirst()) : sibling.sizes
          }
          guard let sibling, sibling.dropFirst() == shape.dropFirst() else {
            preconditionFailure("\(map + rest) and \(name) are no parts of one map \(disk)")
          }
          return sibling[0]
        }
        let whole = [sizes.reduce(0, +)] + shape.dropFirst()
        let before = sizes[..<place].reduce(0, +)
        return [(renamed(disk + rest), whole, [-before] + origin.dropFirst())]
      case .join(let disk, let memory):
        guard let rest = Self.rest(of: name, after: memory), !shape.isEmpty else { continue }
        precondition(
          shape[0] % disk.count == 0, "\(name) \(shape) is not \(disk.count) equal maps")
        let size = shape[0] / disk.count
        return disk.enumerated().map { number, part in
          (renamed(part + rest), [size] + shape.dropFirst(), [number * size] + origin.dropFirst())
        }
      }
    }
    return [(renamed(name), shape, origin)]
  }

  /// The prefix of a network's arrays in files of several networks, such as ComfyUI's
  /// `model.diffusion_model.`; nil where there is none.
  public static func networkPrefix(of arrays: [String]) -> String? {
    ["model.diffusion_model.", "diffusion_model."].first { prefix in
      arrays.contains { $0.hasPrefix(prefix) }
    }
  }

  /// The name on disk of a parameter that is neither split nor joined; a layer's number stays `*`.
  public func diskName(of name: String) -> String { renamed(name) }

  private func renamed(_ name: String) -> String {
    for case .rename(let memory, let disk) in rules {
      if let rest = Self.rest(of: name, after: memory) { return prefix + disk + rest }
    }
    return prefix + name
  }

  /// The name without these leading components, nil where it does not start with them.
  private static func rest(of name: String, after start: String) -> String? {
    guard name.hasPrefix(start) else { return nil }
    let rest = name.dropFirst(start.count)
    return rest.isEmpty || rest.first == "." ? String(rest) : nil
  }

  /// A name with a layer's number, counted from the first layer of its stack.
  public static func numbered(_ name: String, _ number: Int) -> String {
    name.split(separator: ".", omittingEmptySubsequences: false)
      .map { part in firstLayer(part).map { "\($0 + number)" } ?? String(part) }
      .joined(separator: ".")
  }

  /// The number of the first layer that a component of a name stands for, 0 for `*`; nil for other
  /// components.
  private static func firstLayer(_ component: Substring) -> Int? {
    guard component.first == "*" else { return nil }
    return component.count == 1 ? 0 : Int(component.dropFirst(2))
  }

  private static func withoutStar(_ name: String) -> String {
    name.split(separator: ".", omittingEmptySubsequences: false).filter { $0 != "*" }
      .joined(separator: ".")
  }
}
