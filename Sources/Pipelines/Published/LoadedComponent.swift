import Layers
import Runtime
import Tensors
import Weights

extension Component {
  /// Makes a component of a network's parameters in files; they are read on first use.
  ///
  /// - Parameters:
  ///   - names: the names of the parameters on disk.
  ///   - ignored: arrays on disk that belong to no parameter.
  ///   - storage: how weights are kept on the devices.
  /// - Throws: `WeightsError.mismatch` with every array that is missing, unused or misshapen.
  convenience init(
    _ specs: Named<ParameterSpec>, in files: WeightFiles, names: NameMap,
    ignoring ignored: @escaping @Sendable (String) -> Bool = { _ in false },
    storage: BaseDType = .stored, on engine: Engine
  ) throws {
    let stored = try WeightLoader.storedTypes(specs, in: files, names: names, ignoring: ignored)
    let dtypes = specs.map { name, spec in
      // Nothing is computed in f64, so weights are not kept in it.
      storage.dtype(of: spec) ?? (stored[name] == .float64 ? .float32 : stored[name]!)
    }
    let all = specs.withScales { dtypes[$0] == .int8 }
    self.init(
      path: files.path, files: files.paths,
      types: all.map { name, spec in spec.type(dtypes[name] ?? .float32) },
      shardings: all.shardings
    ) {
      try WeightLoader(engine.client, mesh: engine.mesh).load(
        specs, from: files, names: names, as: { dtypes[$0] }, ignoring: ignored)
    }
  }
}

extension Component {
  /// A component of two, each with some of a network's parameters.
  static func joined(_ first: Component, _ second: Component) -> Component {
    Component(
      path: "\(first.path) and \(second.path)", files: first.files + second.files,
      types: first.types.merging(second.types),
      shardings: first.shardings.merging(second.shardings)
    ) {
      defer {
        first.release()
        second.release()
      }
      return try first.load().merging(second.load())
    }
  }
}
