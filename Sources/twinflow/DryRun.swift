import ArgumentParser
import Foundation
import Models
import Runtime
import Training

/// What `twinflow train --dry-run` prints: the plan of a run from its compiled step.
struct DryRun {
  let plan: Plan
  /// The memory of a device in bytes.
  let capacity: Int
  /// Whether that is an H200's because nothing else is known.
  let isUsual: Bool
  /// A few steps on this machine; nil where it has too little memory, or fewer devices than the mesh.
  let trial: StepTrial?
  /// What is said of the encoding before the first step; nil where nothing is encoded.
  let encoding: String?

  /// Compiles the step of a recipe for the devices of its mesh, which need not be present.
  ///
  /// - Parameters:
  ///   - capacity: the memory of a device; nil for that of the GPU at hand, or of an H200.
  init(_ recipe: TrainingRecipe, _ options: EngineOptions, capacity: Bytes?) throws {
    if options.device == .cuda {
      let engine = try options.open().spread(over: recipe.mesh)
      plan = try Plan(recipe, on: engine.client)
      let known = capacity?.count ?? engine.client.capacity()
      (self.capacity, isUsual) = (known ?? Bytes.usual.count, known == nil)
      encoding = Self.encoding(recipe, on: engine)
      trial = try Self.trial(recipe, plan, on: engine)
      return
    }
    let engine = try Engine(plugin: options.plugin, devices: recipe.mesh.count)
    plan = try Plan(recipe, on: engine.client)
    (self.capacity, isUsual) = (capacity?.count ?? Bytes.usual.count, capacity == nil)
    encoding = Self.encoding(recipe, on: engine)
    // Virtual devices share the cores: their time says nothing of real ones.
    trial = recipe.mesh.count > 1 ? nil : try Self.trial(recipe, plan, on: options.open())
  }

  /// What of the data is encoded before the first step, and what is in the cache; the data and the encoders
  /// need not be there.
  private static func encoding(_ recipe: TrainingRecipe, on engine: Engine) -> String? {
    do {
      guard let plan = try EncodingPlan(recipe, on: engine) else { return nil }
      let (pictures, texts) = (plan.pictures, plan.texts)
      return
        "\(pictures.count) pictures and \(texts.count) texts are encoded before the first step, "
        + "\((pictures.byteCount + texts.byteCount).bytesText) in \(plan.cache); "
        + "\(pictures.known) and \(texts.known) of them are there already."
    } catch {
      return "What is encoded before the first step is not known. \(error)"
    }
  }

  /// Runs a few steps, where the memory that is free is enough.
  private static func trial(
    _ recipe: TrainingRecipe, _ plan: Plan, on engine: Engine
  ) throws -> StepTrial? {
    guard let free = engine.client.availableMemory, plan.memory.total < free else { return nil }
    do {
      return try StepTrial(recipe, on: engine)
    } catch RuntimeError.outOfMemory {
      return nil
    }
  }

  /// Prints the plan.
  ///
  /// - Throws: `DryRunError` where it does not fit.
  func show() throws {
    print(text)
    guard plan.memory.total > capacity else { return }
    throw DryRunError(needed: plan.memory.total, capacity: capacity, advice: advice)
  }

  private var text: String {
    let (memory, recipe) = (plan.memory, plan.recipe)
    var lines = [
      "network      \(recipe.model.kind), \(count(plan.weights)) parameters, "
        + "\(count(plan.weights - plan.frozenWeights)) of them trained",
      "mesh         \(recipe.mesh), a batch of \(recipe.batch) in "
        + "\(recipe.accumulation) micro-batch\(recipe.accumulation == 1 ? "" : "es")",
      "On each device:",
    ]
    let parts = [
      ("weights", memory.weights), ("gradients", memory.gradients), ("moments", memory.moments),
      ("averages", memory.averages), ("further networks", memory.further),
      ("activations", memory.activations), ("all", memory.total),
    ]
    for (name, bytes) in parts where bytes > 0 {
      lines.append("  " + name.padded(to: 18) + gigabytes(bytes))
    }
    if plan.flops > 0 {
      lines.append("  " + "a step".padded(to: 18) + "\(number(plan.flops / 1e12)) TFLOP")
    }
    if plan.communication > 0 {
      lines.append(
        "  " + "sent in a step".padded(to: 18) + "\(number(plan.communication / 1e9)) GB")
    }
    if let encoding { lines.append(encoding) }
    if let trial {
      let all = trial.seconds * Double(recipe.steps)
      lines.append(
        "A step takes \(number(trial.seconds)) s on this machine, by a trial of \(trial.steps): "
          + "\(recipe.steps) steps take \(all.secondsText).")
    } else {
      lines.append(
        "A step was not timed: this machine has too little memory, or not the devices of the mesh.")
    }
    lines.append("Tracing and compiling the step took \(number(plan.compiling)) s.")
    if plan.memory.total <= capacity {
      lines.append(
        "It fits: \(number(100 * Double(memory.total) / Double(capacity))) % of "
          + gigabytes(capacity)
          + (isUsual ? ", an H200's memory; --device-memory names another." : "."))
    }
    return lines.joined(separator: "\n")
  }

  private var advice: String {
    let (memory, recipe) = (plan.memory, plan.recipe)
    let state = memory.total - memory.activations
    guard memory.activations > state else {
      return recipe.lora == nil
        ? "Shard it over more devices with mesh.fsdp, or train LoRA."
        : "Shard it over more devices with mesh.fsdp, or set base_dtype to int8 or int4."
    }
    if recipe.model.execution != .recomputed {
      return "Set model.execution to recomputed, which keeps fewer activations."
    }
    return "Raise gradient_accumulation_steps, lower batch or data.size, or add devices to the "
      + "mesh."
  }
}

/// A run that does not fit into its devices.
struct DryRunError: Error, Equatable, CustomStringConvertible {
  let needed: Int
  let capacity: Int
  let advice: String

  var description: String {
    "The run needs \(gigabytes(needed)) on each device, and a device has \(gigabytes(capacity)). "
      + advice
  }
}

private func gigabytes(_ bytes: Int) -> String {
  bytes < 100_000_000
    ? String(format: "%.2f MB", Double(bytes) / 1e6)
    : String(format: "%.2f GB", Double(bytes) / 1e9)
}

private func number(_ value: Double) -> String {
  value < 1000 ? String(format: "%.3g", value) : String(format: "%.0f", value)
}

private func count(_ parameters: Int) -> String {
  parameters >= 1_000_000_000
    ? String(format: "%.2f G", Double(parameters) / 1e9)
    : String(format: "%.2f M", Double(parameters) / 1e6)
}

extension String {
  fileprivate func padded(to width: Int) -> String {
    self + String(repeating: " ", count: max(1, width - count))
  }
}
