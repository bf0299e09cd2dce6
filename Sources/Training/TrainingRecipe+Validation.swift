import Datasets
import Files
import Flow
import Layers
import Models
import Pipelines
import Recipe
import Tensors

extension TrainingRecipe {
  /// Checks that the settings fit each other.
  ///
  /// - Throws: an error that names the key, and what is valid.
  public func validate() throws {
    try checkData()
    try checkObservation()
    guard model.canHold(batch: batch) else {
      throw invalid(
        \.batch,
        "no device could hold the activations for so many samples of "
          + "\(model.sampleShape())")
    }
    // A network without conditions ignores classes.
    // Classes beside encoded pictures are checked with them.
    if model.classes > 0, data.classes > 0 || !model.takesClassesOfLatents {
      guard data.classes > 0 else {
        throw invalid(
          \.data, found: data.kind, "it has no classes, which the network is conditioned on")
      }
      guard model.classes >= data.classes else {
        throw invalid(
          \.model, found: "a network of \(model.classes) classes",
          "\(data.kind) has \(data.classes): set classes to \(data.classes) or more")
      }
    }
    if objective.settings.needsStart, start == nil {
      throw invalid(
        \.objective, found: objective.kind,
        "the teacher is a trained network: name its weights under start")
    }
    if model.conditions.isEmpty {
      guard conditionDropout == 0 else {
        throw invalid(
          \.conditionDropout,
          "the model is not conditioned on anything: set it to 0")
      }
      guard !objective.settings.needsConditions else {
        throw invalid(
          \.objective, found: objective.kind,
          "the model is not conditioned on anything, so there is no guidance to fold in: set "
            + "enhanced_ratio to 0")
      }
    }
    if let highest = objective.settings.criticLayers.max() {
      guard let features = model.features else {
        throw invalid(
          \.objective, found: objective.kind,
          "\(model.kind) has no features that a critic could see: set adversarial.weight to 0, or take dit, "
            + "text-dit or perceptron")
      }
      guard highest < features.layers else {
        throw invalid(
          \.objective, found: "a critic on layer \(highest)",
          "the network has the layers 0 to \(features.layers - 1): set adversarial.layers, as in "
            + "[\(features.layers / 2)]")
      }
    }
    guard objective.settings.conditionShift.isNone || model.takesConditionShift else {
      throw invalid(
        \.objective, found: objective.kind,
        "\(model.kind) has no embedded condition to shift: leave condition_shift out, so that negative "
          + "times mark the fake branch, or take dit, text-dit, qwen_image or z_image")
    }
    try checkTwinHead()
    guard lora != nil || baseDType == .stored else {
      throw invalid(
        \.baseDType, found: baseDType.rawValue,
        "only weights that stay as they are can be kept so: train LoRA beside them, under lora")
    }
    if let lora {
      guard start != nil else {
        throw invalid(
          \.lora, found: lora.rank,
          "LoRA changes a trained network: name its weights under start")
      }
      guard model.weights(with: lora).names.contains(where: lora.trains) else {
        throw invalid(
          \.lora, found: lora.layers,
          "no linear map of the network has such a name: \(model.linearMaps.joined(separator: ", "))"
        )
      }
    }
    try checkFrozen()
    if trainingLoRA != nil {
      guard start != nil else {
        throw invalid(
          \.trainingLoRA, found: trainingLoRA ?? "",
          "it changes a trained network: name its weights under start")
      }
    }
    if let lora, model.isPublished {
      let other = model.weights.names.first { lora.trains($0) && !model.isTargetEmbedder($0) }
      guard other == nil else {
        throw invalid(
          \.lora, found: "full: \(lora.full)",
          "beside LoRA of a published network only the embedder of target times can be trained in full"
        )
      }
    }
    try checkSupervision()
    do {
      let whole = try objective.settings.objective(batch: batch)
      guard whole != nil || accumulation == 1 else {
        throw invalid(
          \.accumulation, "\(objective.kind) has no micro-batches: set it to 1")
      }
      _ = try whole?.microBatch(of: accumulation)
    } catch let error as FlowError {
      throw invalid(\.batch, "\(error)")
    }
    if let misfit = misfit(of: mesh) {
      throw invalid(\.mesh, misfit.description)
    }
  }

  /// Checks that the objective is one for the network, and that the data have its answers.
  private func checkSupervision() throws {
    let trained = type(of: objective.settings).supervised
    guard let network = model.supervised else {
      guard let trained else { return }
      throw invalid(
        \.objective, found: objective.kind,
        "\(objective.kind) trains a \(trained); this network is trained by twinflow or tutorial")
    }
    let needed = type(of: network).objective
    guard objective.kind == needed else {
      throw invalid(
        \.objective, found: objective.kind, "a \(model.kind) is trained by \(needed)")
    }
    guard let detector = network as? DetectorConfig else { return }
    guard let scenes = data.dataSet as? SceneData else {
      throw invalid(
        \.data, found: data.kind,
        "it has no boxes of objects, which a detector learns: set kind to emoji-scenes")
    }
    let (classes, colors) = (SceneClass.all.count, SceneClass.colors.count)
    guard (detector.classes, detector.colors) == (classes, colors),
      scenes.arrays[1] == detector.inputs(nil)[1]
    else {
      throw invalid(
        \.model,
        found: "classes: \(detector.classes), colors: \(detector.colors), "
          + "objects: \(detector.objects)",
        "emoji-scenes have \(classes) classes and \(colors) colors, and up to "
          + "\(SceneRequest.mostObjects) objects")
    }
  }

  /// Checks that samples can be drawn and evaluated where they are to be.
  private func checkObservation() throws {
    if sampleEvery > 0, encodedData == nil, !model.isGenerative || model.codec == nil {
      throw invalid(
        \.sampleEvery, "the network does not generate pictures: set it to 0")
    }
    guard evaluatePrompts == nil || encodedData != nil else {
      throw invalid(
        \.evaluatePrompts, found: evaluatePrompts ?? "", "the network takes no text: leave it out")
    }
    guard evaluateEvery > 0 else { return }
    guard evaluatePrompts == nil else {
      guard (encodedData?.references ?? 0) == 0 else {
        throw invalid(
          \.evaluateEvery, "models that edit images are not evaluated in training: set it to 0")
      }
      return
    }
    guard model.isGenerative, data.dataSet is FashionMNISTData else {
      throw invalid(
        \.evaluateEvery,
        encodedData == nil
          ? "only generated pictures of fashion-mnist are evaluated in training: set it to 0"
          : "name a file of prompts with real pictures under evaluate_prompts, or set it to 0")
    }
  }

  /// Checks that the network takes what the data set has, and that the objective needs no more.
  private func checkData() throws {
    guard let prompts = encodedData else {
      let shape = data.arrayDataSet?.arrays[0].shape ?? []
      guard model.text == nil else {
        throw invalid(
          \.data, found: data.kind,
          "the network takes text: set kind to images or prompts, which have it")
      }
      guard !model.takesClassesOfLatents else {
        throw invalid(
          \.data, found: data.kind,
          "the network takes latents of pictures and their classes: set kind to class-images, or to "
            + "parquet, webdataset or manifest, whose rows have a label")
      }
      guard data.promptDataSet == nil else {
        throw invalid(
          \.data, found: data.kind,
          "the network takes no text: it is for networks such as qwen_image")
      }
      guard shape == model.sampleShape() else {
        throw invalid(
          \.data, found: data.kind,
          "its samples are \(shape), those of the model \(model.sampleShape())")
      }
      return
    }
    if let pictures = data.dataSet as? ClassImageData {
      guard pictures.crop == .center else {
        throw invalid(
          \.data, found: "crop: random",
          "the latents of a picture are computed once, of its center: set crop to center")
      }
      guard pictures.channels == 3 else {
        throw invalid(
          \.data, found: "channels: 1", "autoencoders take colors: set channels to 3")
      }
    }
    guard prompts.hasPictures || !objective.settings.needsData else {
      throw invalid(
        \.data, found: data.kind,
        "it has no pictures: set objective to {preset: twinflow-data-free}, or kind to images")
    }
    guard !prompts.masks || objective.settings.takesWeights else {
      throw invalid(
        \.objective, found: objective.kind,
        "it weighs all parts of pictures equally: set data.masks to false, or kind to twinflow")
    }
    _ = try StepInputs(self, reduction: 1)
    if objective.settings.needsTwin, model.confusesTwin {
      throw invalid(
        \.model, found: "time_convention: released",
        "with these times the network cannot tell the twin trajectory apart: set it to signed")
    }
  }

  /// What cannot be sharded over a mesh, nil where everything can.
  public func misfit(of mesh: Mesh) -> ShardingError? {
    guard batch % accumulation == 0, batch / accumulation % mesh.batchShards == 0 else {
      return .indivisibleBatch(batch: batch / accumulation, mesh: mesh)
    }
    for (name, weight) in model.weights(with: lora).pairs {
      if let (axis, _) = weight.sharding.misfit(weight.shape, mesh) {
        return .indivisible(
          name: name, axis: axis, size: weight.shape[axis],
          meaning: weight.sharding.axes[axis]!, mesh: mesh)
      }
    }
    return nil
  }

  /// Checks that the network can have the output heads that the objective trains, and has no others.
  private func checkTwinHead() throws {
    let settings = objective.settings
    guard !settings.needsTwinHead || model.takesTwinHead else {
      throw invalid(
        \.model, found: model.kind,
        "it has one output head, and \(objective.kind) trains two: take dit, text-dit or perceptron, or set "
          + "objective to {preset: dmd}, which has a network for each")
    }
    guard settings.needsTwinHead || model.hasTwinHead else { return }
    guard lora == nil else {
      throw invalid(
        \.lora, found: "rank \(lora?.rank ?? 0)",
        "a second output head is trained with all other weights: leave lora out, or set "
          + (settings.needsTwinHead
            ? "objective to {preset: dmd}, which needs no second head" : "model.twin_head to false")
      )
    }
    guard settings.needsTwin, settings.conditionShift.isNone else {
      throw invalid(
        \.model, found: "twin_head: true",
        "\(objective.kind) trains nothing at negative times: leave twin_head out, or set objective to "
          + "{preset: twin-dmd}")
    }
  }

  /// Checks that every pattern of `freeze` freezes a weight, and that something is left to train.
  private func checkFrozen() throws {
    guard !freeze.isEmpty else { return }
    guard lora == nil else {
      throw invalid(
        \.freeze,
        "with LoRA all weights are frozen: choose what is trained by lora.layers and "
          + "lora.full")
    }
    let names = model.weights.names
    for pattern in freeze where !names.contains(where: { NamePattern(pattern).matches($0) }) {
      let nearest = nearestName(to: pattern, among: names)
      throw invalid(
        \.freeze, found: pattern,
        "no weight of the network has such a name"
          + (nearest.map { "; did you mean \($0)?" }
            ?? ": they are \(names.joined(separator: ", "))"))
    }
    guard names.contains(where: trains) else {
      throw invalid(\.freeze, "nothing is left to train")
    }
  }

  /// Checks that the metric of `keep_best` is one of the run's.
  ///
  /// - Parameter metrics: those of its steps.
  func checkKeepBest(among metrics: Set<String>) throws {
    let known = metrics.union(evaluationMetrics)
    guard let best = keepBest, !known.contains(best) else { return }
    throw invalid(
      \.keepBest, found: best,
      "the run has no such metric: \(known.sorted().joined(separator: ", "))")
  }
}
