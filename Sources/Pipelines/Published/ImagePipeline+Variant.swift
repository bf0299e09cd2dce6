import Runtime

extension ImagePipeline {
  /// The same model with LoRA. It shares the weights of all components, and both can stay loaded.
  ///
  /// - Parameter log: gets a sentence for each file.
  /// - Throws: `WeightsError` for a file that does not fit the network, and the errors of files.
  public func adding(
    _ loras: [LoRAUse], log: (String) -> Void = { _ in }
  ) throws -> ImagePipeline {
    try ImagePipeline(
      copying: self,
      transformer: transformer.adding(
        loras, dtype: options.compute.dtype, sharesBase: true, on: engine, log: log))
  }

  /// The bytes of the weights of all components, as they are kept on the devices.
  public var weightBytes: Int {
    let all = [
      encoder.component, encoder.vision?.component, transformer.component, codec.component,
    ]
    return all.reduce(0) { $0 + ($1?.byteCount ?? 0) }
  }

  /// Loads the weights of all components.
  ///
  /// - Throws: the errors of files and of the plugin.
  public func load() throws {
    for component in [encoder.component, transformer.component, codec.component] {
      try component?.load()
    }
  }

  /// Releases the weights of all components.
  public func release() {
    encoder.component.release()
    encoder.vision?.component.release()
    transformer.component.release()
    codec.release()
  }
}
