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
    let stored = try WeightLoader.storage(specs, in: files, names: names, ignoring: ignored)
    let kept = specs.map { name, spec in
      // Nothing is computed in f64, so weights are not kept in it.
      let own = stored[name] == .float64 ? .float32 : stored[name]!
      return (storage.storage(of: spec) ?? own).fitting(spec, engine.mesh)
    }
    let all = specs.arrays { kept[$0]! }
    self.init(
      path: files.path, files: files.paths, types: all.types, shardings: all.shardings
    ) {
      try WeightLoader(engine.client, mesh: engine.mesh).load(
        specs, from: files, names: names, as: { kept[$0] }, ignoring: ignored)
    }
  }
}

extension Component {
  /// This component with a name before those of its parameters.
  func prefixed(_ name: String) -> Component {
    Component(
      path: path, files: files, types: types.prefixed(name), shardings: shardings.prefixed(name)
    ) {
      defer { self.release() }
      return try self.load().prefixed(name)
    }
  }

  /// A component of two, each with some of a network's parameters.
  static func joined(
    _ first: Component, _ second: Component, sharesFirst: Bool = false
  ) -> Component {
    Component(
      path: "\(first.path) and \(second.path)", files: first.files + second.files,
      types: first.types.merging(second.types),
      shardings: first.shardings.merging(second.shardings)
    ) {
      defer {
        if !sharesFirst { first.release() }
        second.release()
      }
      return try first.load().merging(second.load())
    }
  }
}
