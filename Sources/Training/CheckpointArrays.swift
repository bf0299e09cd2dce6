import Files
import Pipelines
import Runtime
import Tensors
import Weights

extension WeightFiles {
  /// The arrays on the devices with the expected types; floats of another width are converted.
  ///
  /// - Parameter shardings: how they are sharded over the engine's mesh.
  /// - Throws: `WeightsError.mismatch` with every array that is missing, unused or of the wrong
  ///   shape.
  func arrays(
    _ expected: Named<TensorType>, shardings: Named<Sharding> = Named(),
    allowsOverflow: Bool = false, on engine: Engine
  ) throws -> Named<ShardedArray> {
    var problems: [WeightsError.Problem] = []
    for (name, type) in expected.pairs {
      guard let found = types[name] else {
        let similar = nearestName(to: name, among: types.names.filter { expected[$0] == nil })
        problems.append(.missing(name: name, similar: similar))
        continue
      }
      let convertible = found.dtype.isFloat && type.dtype.isFloat
      if found.shape != type.shape || found.dtype != type.dtype && !convertible {
        problems.append(.wrongType(name: name, found: found, expected: type))
      }
    }
    problems += types.names.filter { expected[$0] == nil }.map { .unused(name: $0) }
    guard problems.isEmpty else { throw WeightsError.mismatch(path: path, problems: problems) }
    let places = engine.client.places(in: engine.mesh)
    let stored = try expected.map { name, _ in
      let type = types[name]!
      return try ShardedArray(
        type, shardings[name] ?? .replicated, engine.mesh, places: places
      ) { region, place in
        let device = engine.client.devices[place]
        let local = BufferType(type.dtype, region.sizes)
        if region.sizes == type.shape.sizes, let mapped = mapped(name) {
          return try engine.client.buffer(
            sharing: mapped.bytes, owner: mapped.owner, local, on: device)
        }
        return try bytes(name, region).withUnsafeBytes {
          try engine.client.buffer(bytes: $0, local, on: device)
        }
      }
    }
    var wanted = expected.pairs.makeIterator()
    return try engine.cast(stored, of: path, allowsOverflow: allowsOverflow) { _ in
      wanted.next()!.value.dtype
    }
  }
}
