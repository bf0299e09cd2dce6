import Layers
import Tensors

/// The linear maps of a network by their names in a layout on disk.
struct NetworkMaps {
  /// A part of a parameter that is all or a part of a map on disk.
  struct Place {
    let parameter: String
    /// The sizes of the map on disk, output and input.
    let module: [Int]
    /// The region of the map on disk in the parameter's coordinates.
    let box: Region
  }

  /// The names of the maps on disk.
  private(set) var names: [String] = []
  private var places: [String: [Place]] = [:]
  /// The names by what is left of them when underscores replace dots.
  private var flat: [String: String] = [:]
  /// The names of what is no linear map but has a weight, such as a norm.
  private var others: Set<String> = []

  init(_ specs: Named<ParameterSpec>, _ layout: NameMap) {
    let shapes = specs.mapValues(\.shape)
    for (name, spec) in specs.pairs where name.hasSuffix(".weight") {
      for piece in layout.pieces(of: name, shapes: shapes) where piece.disk.hasSuffix(".weight") {
        let map = String(piece.disk.dropLast(".weight".count))
        guard spec.isMatrix, piece.shape.count == 2 else {
          others.formUnion([map, map.replacing(".", with: "_")])
          continue
        }
        if places[map] == nil { names.append(map) }
        places[map, default: []].append(
          Place(parameter: name, module: piece.shape, box: piece.box))
        flat[map.replacing(".", with: "_")] = map
      }
    }
  }

  /// The places of a module, nil where the network does not have it.
  subscript(_ module: LoRAFile.Module) -> [Place]? {
    places[module.isFlat ? flat[module.name] ?? "" : module.name]
  }

  /// Whether a module of the network that is no linear map has this name.
  func hasOther(_ module: LoRAFile.Module) -> Bool { others.contains(module.name) }
}
