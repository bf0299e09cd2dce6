import Layers
import Models
import PJRT
import Pipelines
import Runtime
import Tensors

/// What a run needs and where it runs.
public struct RunFacts: Codable, Hashable, Sendable {
  /// The kind of the network.
  public var network = ""
  /// The parameters of the generating network, with those of LoRA.
  public var parameters = 0
  /// How many of them are trained.
  public var trained = 0
  /// The bytes that a step needs on each device, by the compiler's plan; nil where it is unknown.
  public var memory: Int?
  /// The FLOPs of a step on each device; nil where they are unknown.
  public var flops: Double?
  /// The measured peak of a device, in FLOP/s of matrix multiplications; nil where it is unknown.
  public var peak: Double?
  /// The kind of the devices.
  public var device = ""
  /// The number of devices.
  public var devices = 1
  /// The version of the program.
  public var version = programVersion

  /// Makes facts that are to be filled in.
  public init() {}

  /// The facts of a run by its compiled step. The peak is measured, which takes a fraction of a second.
  ///
  /// - Throws: the plugin's errors.
  init(
    _ recipe: TrainingRecipe, _ weights: Named<ParameterSpec>, _ function: CompiledFunction,
    on engine: Engine
  ) throws {
    network = recipe.model.kind
    for (name, spec) in weights.pairs {
      parameters += spec.shape.count
      if recipe.trains(name) { trained += spec.shape.count }
    }
    memory = function.executable.memory?.total
    device = engine.client.devices.first?.kind ?? engine.client.platformName
    devices = engine.mesh?.count ?? 1
    flops = try function.executable.optimizedProgram().map(\.flops).flatMap { $0 > 0 ? $0 : nil }
    // The virtual devices of a CPU share its cores.
    if flops != nil, devices == 1 || engine.client.platformName != "cpu" {
      peak = try PeakSpeed.measured(on: engine, in: recipe.precision.dtype)
    }
  }
}
