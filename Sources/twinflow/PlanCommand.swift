import ArgumentParser
import Foundation
import Layers
import Models
import Tensors
import Pipelines
import Runtime
import Training

/// `twinflow plan`
struct PlanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Estimates what a training run would need on devices that need not be present.",
    discussion: """
      Compiles the training step for every mesh up to --devices, on virtual devices of the CPU and \
      without running it, and prints the memory of each device as planned by the compiler, then the \
      smallest mesh that fits. Weights are sharded over all devices (fsdp); a tensor axis of the \
      recipe's mesh is preserved. Activations are those of the CPU compiler's schedule, which widens \
      bf16 to f32 in activations and communication: a GPU needs about half of those. The lower bounds \
      of a step's seconds follow from its matrix multiplications, from reading and writing every byte \
      once, and from the bytes that collectives send, at the given speeds of a device.

      EXAMPLES
        twinflow plan Recipes/scale/dit-6b.yaml --devices 64 --device-memory 141GB
        twinflow plan Recipes/scale/dit-20b.yaml --devices 8 \\
          --set 'objective={preset: flow-matching}'
      """)

  @OptionGroup var recipe: RecipeOptions

  @Option(help: "The largest number of devices.", transform: integer(1...1024))
  var devices = 8

  @Option(
    name: .customLong("device-memory"),
    help: ArgumentHelp("The memory of a device, as in 141GB or 80GiB.", valueName: "bytes"),
    transform: Bytes.option)
  var deviceMemory = Bytes.usual

  @Option(
    help: "Samples in a step for each shard of the batch; by default the recipe's.",
    transform: integer(1...1 << 24))
  var samples: Int?

  @Flag(help: "Only the mesh over all devices.")
  var only = false

  @Option(
    help: "The speed of matrix multiplications in TFLOP/s; by default an H100's or H200's in bf16.",
    transform: positive)
  var peak = 989.0

  @Option(
    help: "The memory bandwidth in GB/s; by default an H200's.", transform: positive)
  var bandwidth = 4800.0

  @Option(
    help: "The link bandwidth to other devices in GB/s; by default NVLink's of an H100.",
    transform: positive)
  var link = 450.0

  @Option(
    help: ArgumentHelp("A PJRT plugin for the CPU.", valueName: "library"), transform: pathOption)
  var plugin: String?

  func run() throws {
    let recipe = try recipe.decoded()
    let engine = try Engine(plugin: plugin, devices: devices)
    var printer = PlanTable(limit: deviceMemory.count)
    for count in counts {
      var plans: [Plan] = []
      for variant in try variants(recipe, devices: count) {
        let plan = try Plan(variant, on: engine.client)
        if printer.isEmpty { printer.head(plan) }
        printer.row(
          plan,
          Plan.DeviceSpeed(flops: peak * 1e12, memory: bandwidth * 1e9, link: link * 1e9))
        plans.append(plan)
      }
      if let fitting = plans.first(where: { $0.memory.total <= deviceMemory.count }) {
        printer.fits(fitting)
        return
      }
    }
    printer.nothingFits()
    throw ExitCode.failure
  }

  /// The numbers of devices that are tried.
  private var counts: [Int] {
    if only { return [devices] }
    var counts = Array(sequence(first: 1) { $0 * 2 }.prefix { $0 < devices })
    counts.append(devices)
    return counts
  }

  /// The recipe on a number of devices, with activations stored and recomputed.
  private func variants(_ recipe: TrainingRecipe, devices: Int) throws -> [TrainingRecipe] {
    var recipe = recipe
    if recipe.mesh.count != devices {
      let tensor = devices % recipe.mesh.tensor == 0 ? recipe.mesh.tensor : 1
      recipe.mesh = Mesh(fsdp: devices / tensor, tensor: tensor)
    }
    if let samples { recipe.batch = samples * recipe.mesh.batchShards }
    guard recipe.model.canHold(batch: recipe.batch) else {
      throw ValidationError(
        "--samples of \(samples ?? 0) on \(recipe.mesh) are too many to count; give fewer.")
    }
    if let misfit = recipe.misfit(of: recipe.mesh) { throw misfit }
    guard recipe.model.execution != nil else { return [recipe] }
    return [StackExecution.scanned, .recomputed].map { execution in
      recipe.model = recipe.model.executed(execution)
      return recipe
    }
  }
}

/// A number of bytes on the command line.
struct Bytes: ExpressibleByArgument {
  let count: Int

  init(_ count: Int) { self.count = count }

  /// The memory of an H200.
  static let usual = Bytes(141_000_000_000)

  /// Reads an option.
  ///
  /// - Throws: `NumberError`.
  static func option(_ text: String) throws -> Bytes {
    guard let bytes = Bytes(argument: text) else {
      throw NumberError(
        description: "it must be a number above 0 with a unit, kB to TB or KiB to TiB, as in 141GB")
    }
    return bytes
  }

  init?(argument: String) {
    let units = [
      ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40), ("kB", 1000),
      ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000), ("", 1),
    ]
    for (unit, factor) in units where argument.hasSuffix(unit) {
      guard let number = Double(argument.dropLast(unit.count)),
        let count = Int(exactly: (number * Double(factor)).rounded()), count > 0
      else { continue }
      self.init(count)
      return
    }
    return nil
  }

  var defaultValueDescription: String { "\(count / 1_000_000_000)GB" }
}

/// The printed table of plans.
private struct PlanTable {
  let limit: Int
  private(set) var isEmpty = true

  init(limit: Int) { self.limit = limit }

  private static let names = [
    "weights", "gradients", "moments", "averages", "further", "activations", "all",
  ]

  mutating func head(_ plan: Plan) {
    isEmpty = false
    let count = String(format: "%.3g", Double(plan.weights) / 1e9)
    print("\(count) G weights; bytes of each device in GB, seconds at least")
    if plan.frozenWeights > 0 {
      let (count, bytes) = (Double(plan.frozenWeights), Double(plan.frozenBytes))
      print(
        String(
          format: "%.4g G of them are frozen, in %.4g GB: %.4g bytes a weight", count / 1e9,
          bytes / 1e9, bytes / count))
    }
    let columns = Self.names.map { $0.leftPadded(11) }.joined()
    print(
      "mesh".rightPadded(22) + "activations".rightPadded(13) + "batch".leftPadded(6) + columns
        + "TFLOP".leftPadded(9) + "sent GB".leftPadded(9)
        + ["matmul", "memory", "links"].map { $0.leftPadded(9) }.joined())
  }

  mutating func row(_ plan: Plan, _ speed: Plan.DeviceSpeed) {
    let memory = plan.memory
    let bytes = [
      memory.weights, memory.gradients, memory.moments, memory.averages, memory.further,
      memory.activations, memory.total,
    ]
    let columns = bytes.map { String(format: "%11.2f", Double($0) / 1e9) }.joined()
    let seconds = plan.seconds(speed)
    let activations = plan.recipe.model.execution == .recomputed ? "recomputed" : "stored"
    print(
      plan.recipe.mesh.description.rightPadded(22) + activations.rightPadded(13)
        + "\(plan.recipe.batch)".leftPadded(6) + columns
        + String(
          format: "%9.1f%9.2f%9.3f%9.3f%9.3f", plan.flops / 1e12, plan.communication / 1e9,
          seconds.matmul, seconds.memory, seconds.links))
  }

  func fits(_ plan: Plan) {
    let share = Double(plan.memory.total) / Double(limit)
    print(
      "The smallest mesh that fits into \(Bytes(limit).text) a device: \(plan.recipe.mesh), "
        + String(format: "%.0f %% full.", 100 * share))
  }

  func nothingFits() {
    print(
      "None of these fits into \(Bytes(limit).text) a device. Take more devices (--devices), fewer "
        + "samples (--samples) or bf16 (--set precision=bf16), or train LoRA.")
  }
}

extension Bytes {
  fileprivate var text: String { String(format: "%.4g GB", Double(count) / 1e9) }
}

extension String {
  fileprivate func leftPadded(_ width: Int) -> String {
    String(repeating: " ", count: max(1, width - count)) + self
  }

  fileprivate func rightPadded(_ width: Int) -> String {
    self + String(repeating: " ", count: max(1, width - count))
  }
}
