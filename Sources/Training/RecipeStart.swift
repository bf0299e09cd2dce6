import Datasets
import Files
import Foundation
import Layers
import Models
import Pipelines
import Recipe
import Tensors
import Weights

extension TrainingRecipe {
  /// The path of the weights to start from, nil where there are none.
  ///
  /// The start of a published network may be the folder of a whole model, or its name; then it is the
  /// folder of its transformer.
  ///
  /// - Throws: `FileError.notFound` where they should come with the program and do not.
  public func startPath() throws(FileError) -> String? {
    guard let start else { return nil }
    guard model.isPublished else { return try SharedFiles.standard.path(start) }
    let place = (try? ModelLibrary().path(of: start)) ?? start
    let transformer = "\(place)/transformer"
    if FileManager.default.fileExists(atPath: transformer) { return transformer }
    // The index of a model may name the place of its transformer.
    return (try? ModelFolder(place).folder("transformer")) ?? place
  }

  /// The data whose pictures and texts the encoders of a model prepare once before training; nil for data
  /// that are arrays. A network that takes classes gets them in place of texts.
  package var encodedData: (any PromptDataSet)? {
    if model.takesClassesOfLatents { return data.labelled }
    return model.text == nil ? nil : data.promptDataSet
  }

  /// The folder of the model whose encoders prepare the data.
  ///
  /// - Throws: `TrainingError.noEncoders`, and the errors of finding and reading a model's folder.
  func encodersFolder() throws -> ModelFolder {
    if let encoders {
      // A checkpoint of OpenUni's that training starts from holds its connector.
      return try ModelFolder(encoders: encoders).takingConnector(of: startPath())
    }
    guard let start, let path = try? ModelLibrary().path(of: start),
      let folder = try? ModelFolder(path)
    else { throw TrainingError.noEncoders(start: start) }
    return folder
  }

  /// The start of a network of this program's own pipelines where it is a whole model.
  package var wholeStart: String? {
    guard let network = model.architecture as? any PublishedTransformer,
      network.ownPipeline != nil, let start, let path = try? ModelLibrary().path(of: start),
      (try? ModelFolder(path)) != nil
    else { return nil }
    return start
  }

  /// This recipe with the sizes of the network that it starts from, and with the embedder of target times and
  /// the second output head that its objective needs; and the weights that it starts from.
  ///
  /// - Parameters:
  ///   - isPlan: whether the weights to start from may be missing.
  ///   - notice: called with a sentence for each thing that the recipe does not say.
  /// - Throws: `TrainingError`, the errors of weights, and an error that names a key for settings that do
  ///   not fit the network.
  func resolved(
    isPlan: Bool = false, notice: (String) -> Void = { _ in }
  ) throws -> (recipe: TrainingRecipe, base: StartWeights?) {
    var recipe = self
    let base = try startPath().flatMap { path -> StartWeights? in
      if !WeightFiles.exist(at: path) {
        guard !isPlan else { return nil }
        // Says where published models are looked for.
        if model.isPublished, let start { _ = try ModelLibrary().path(of: start) }
      }
      return try StartWeights(path, like: model)
    }
    if let base, model.hasStandardSizes {
      if !model.takesWeights(of: base.model) {
        notice("The network has the sizes of \(base.path).")
      }
      recipe.model = model.sized(like: base.model)
    }
    let settings = objective.settings
    if settings.timeConvention == .pair, settings.teachesAnyStep, model.hasTargetTime == false {
      recipe.model = recipe.model.withTargetTimes
    }
    if settings.needsTwinHead { recipe.model = recipe.model.withTwinHead }
    let isOwn = (model.architecture as? any PublishedTransformer)?.ownPipeline != nil
    if isOwn, let lora, base != nil, wholeStart == nil {
      throw invalid(
        \.lora, found: "rank \(lora.rank)",
        "beside LoRA a whole model is needed to make pictures, and \(start ?? "start") is none: name one "
          + "under start, such as the folder of a run, or train all weights")
    }
    if let base {
      guard recipe.model.takesWeights(of: base.model) else {
        throw TrainingError.otherModel(
          path: base.path, found: base.model, expected: recipe.generatingModel)
      }
      try recipe.checkTrained(base)
      for text in base.notices(for: recipe.model) { notice(text) }
    }
    if recipe.model != model { try recipe.validate() }
    return (recipe, base)
  }

  /// The hash of the content of the weights to start from, nil where there are none.
  func startHash() throws -> String? {
    try startPath().map { path in
      let (hash, cache) = (ContentHash(), HashCache())
      for file in try WeightFiles(path: path).paths { hash.add(try cache.hash(of: file)) }
      return hash.text
    }
  }

  /// This recipe, if its network has only a kind, with the network of the checkpoint in a folder: a run
  /// that goes on does not need the weights that it started from.
  func resized(like output: String) throws -> TrainingRecipe {
    guard model.hasStandardSizes,
      let checkpoint = try RunCheckpoints(run: output).newestReadable()
    else { return self }
    var recipe = self
    recipe.model = model.sized(like: checkpoint.recipe.model)
    return recipe
  }

  /// Checks that parameters which the weights to start from do not have are trained.
  private func checkTrained(_ base: StartWeights) throws {
    guard let lora, !base.notices(for: model).isEmpty,
      let added = model.architecture.added.first,
      !model.weights.names.contains(where: { added.contains($0) && lora.trains($0) })
    else { return }
    throw invalid(
      \.lora, found: "full: \(lora.full)",
      "\(base.path) has no \(added.path), and what is added must be trained: set lora.full to "
        + "[\(added.path)], or objective.time_convention to middle")
  }
}
