import Models
import Pipelines
import Runtime
import Tensors
import Weights

/// The memory and computation that a training step would need, found by compiling it without
/// running it.
///
/// Bytes are the compiler's figures for each device. Temporaries are those of the CPU's schedule,
/// which differs from a GPU's; and the CPU widens bf16 to f32 in temporaries and in communication,
/// of which a GPU needs about half.
public struct Plan: Sendable {
  /// The recipe, with its mesh.
  public let recipe: TrainingRecipe
  /// The weights of the network that generates.
  public let weights: Int
  /// How many of them are frozen.
  public let frozenWeights: Int
  /// The bytes of the frozen ones, with the scales of those that are quantized, before they are split
  /// over devices.
  public let frozenBytes: Int
  /// What a device needs.
  public let memory: Memory
  /// The FLOPs of matrix multiplications on a device in a step; a multiply-add counts as two.
  public let flops: Double
  /// The bytes that a device sends to others in a step.
  public let communication: Double
  /// The seconds that tracing and compiling took.
  public let compiling: Double

  /// Bytes on each device.
  public struct Memory: Hashable, Sendable {
    /// The weights that generate, trained or frozen.
    public let weights: Int
    /// The gradients of those that are trained.
    public let gradients: Int
    /// The optimizer's state for them.
    public let moments: Int
    /// Averages and the initial network.
    public let averages: Int
    /// Further networks of the objective with their optimizer state.
    public let further: Int
    /// Temporaries of a step other than gradients, mostly activations.
    public let activations: Int
    /// The peak.
    public let total: Int
  }

  /// Compiles a recipe's step for the virtual devices of a CPU, or for GPUs. FLOPs are known for CPUs.
  ///
  /// - Parameter client: with at least as many devices as the mesh.
  /// - Throws: `ShardingError.tooFewDevices`, and the plugin's errors.
  public init(_ given: TrainingRecipe, on client: Client) throws {
    let (recipe, base) = try given.resolved(isPlan: true)
    let mesh = recipe.mesh.count > 1 ? recipe.mesh : nil
    guard recipe.mesh.count <= client.devices.count else {
      throw ShardingError.tooFewDevices(
        mesh: recipe.mesh, found: client.devices.count, platform: client.platformName)
    }
    let step = try TrainingStep(
      recipe, stored: recipe.frozenTypes(base),
      trainingLoRA: TrainingLoRA(recipe, isPlan: true)?.specs ?? Named())
    let function = try step.compiled(
      TrainingStep.Program(updates: step.updates(at: 0), signature: step.batchTypes), on: client,
      cache: nil, mesh: mesh,
      // On a GPU the program is the one that would run.
      target: client.platformName == "cpu" ? .plan(client, mesh: mesh) : nil)
    func bytes(_ specs: Named<ArraySpec>?) -> Int {
      (specs?.values ?? []).reduce(0) { $0 + $1.localBytes(mesh) }
    }
    let state = step.specs
    let trained = bytes(state.live.trained)
    let needed = function.executable.memory
    memory = Memory(
      weights: trained + bytes(state.frozen), gradients: trained,
      moments: bytes(state.live.moments),
      averages: bytes(state.target?.weights) + bytes(state.initial) + bytes(state.ema),
      further: state.auxiliaries.values.reduce(0) { $0 + bytes($1.trained) + bytes($1.moments) },
      activations: max(0, (needed?.temporaries ?? 0) - trained), total: needed?.total ?? 0)
    weights = step.weights.values.reduce(0) { $0 + $1.shape.count }
    frozenBytes = state.frozen.values.reduce(0) { $0 + $1.type.byteCount }
    frozenWeights = step.weights.pairs.reduce(0) {
      recipe.trains($1.name) ? $0 : $0 + $1.value.shape.count
    }
    let program = try function.executable.optimizedProgram()
    flops = program?.flops ?? 0
    communication = program?.communication(mesh) ?? 0
    compiling = function.compilation.tracing + function.compilation.compiling
    self.recipe = recipe
  }

  /// The speed of a device.
  public struct DeviceSpeed: Sendable {
    /// FLOP/s of matrix multiplications.
    public var flops: Double
    /// Bytes per second from and to its memory.
    public var memory: Double
    /// Bytes per second to other devices.
    public var link: Double

    /// Makes a description.
    public init(flops: Double, memory: Double, link: Double) {
      (self.flops, self.memory, self.link) = (flops, memory, link)
    }
  }

  /// Lower bounds of the seconds of a step: by matrix multiplications, by memory if every byte is
  /// written and read once, and by links.
  public func seconds(_ speed: DeviceSpeed) -> (matmul: Double, memory: Double, links: Double) {
    (
      flops / speed.flops, 2 * Double(memory.total) / speed.memory,
      communication / speed.link
    )
  }
}

extension OptimizedProgram {
  /// The FLOPs of matrix multiplications, of attention and of our kernels' convolutions on one device.
  var flops: Double {
    instructions.reduce(0) { $0 + Double($1.count) * $1.flops }
  }

  /// The bytes that one device sends, with ring collectives.
  func communication(_ mesh: Mesh?) -> Double {
    guard let mesh else { return 0 }
    return instructions.reduce(0) {
      $0 + Double($1.count) * $1.sent(amongst: mesh.count)
    }
  }
}

extension OptimizedProgram.Instruction {
  fileprivate var flops: Double {
    switch (opcode, target) {
    case ("dot", _):
      guard let left = operands.first?.first, let result = shapes.first else { return 0 }
      return 2 * Double(result.reduce(1, *))
        * contracted.reduce(1) { $0 * Double(left.indices.contains($1) ? left[$1] : 1) }
    case ("custom-call", let name) where name.hasPrefix(Kernel.attention.rawValue):
      // Two matrix multiplications forward; backward the scores again and four more.
      let matmuls = name == Kernel.attention.rawValue ? 2.0 : 5.0
      guard let first = operands.first?.first, first.count >= 4 else { return 0 }
      let isPacked = first.count == 5
      let (heads, width) = (first[first.count - 2], first[first.count - 1])
      let keys = isPacked ? first[1] : operands.dropFirst().first?.first?[1] ?? first[1]
      return matmuls * 2 * Double(first[0] * heads * width) * Double(first[1]) * Double(keys)
    case ("custom-call", Kernel.matmul.rawValue):
      guard let left = operands.first?.first, let result = shapes.first else { return 0 }
      // The left operand is a matrix of the result's rows and the contracted axis.
      return 2 * count(left) * Double(result.last ?? 0)
    case ("custom-call", Kernel.convolution.rawValue):
      guard let kernel = operands.dropFirst().first?.first, let result = shapes.first else {
        return 0
      }
      return convolution(kernel: kernel, output: result)
    case ("custom-call", Kernel.convolutionInputGradient.rawValue):
      guard let output = operands.first?.first, let kernel = operands.dropFirst().first?.first
      else { return 0 }
      return convolution(kernel: kernel, output: output)
    case ("custom-call", Kernel.convolutionKernelGradient.rawValue):
      guard let output = operands.dropFirst().first?.first, let kernel = shapes.first else {
        return 0
      }
      return convolution(kernel: kernel, output: output)
    default: return 0
    }
  }

  private func count(_ shape: [Int]) -> Double { Double(shape.reduce(1, *)) }

  /// The FLOPs of a convolution with a kernel `[…, inputs, outputs]`.
  private func convolution(kernel: [Int], output: [Int]) -> Double {
    2 * count(output) * count(kernel) / Double(max(1, kernel.last ?? 1))
  }

  /// - Parameter devices: the number of devices of a collective whose shapes do not tell it.
  fileprivate func sent(amongst devices: Int) -> Double {
    let count = { (shapes: [[Int]]) in
      Double(shapes.reduce(0) { $0 + $1.reduce(1, *) })
    }
    let (given, made) = (count(operands.flatMap { $0 }), count(shapes))
    let size = Double(bytes)
    switch opcode.replacing("-start", with: "") {
    case "all-gather": return made > 0 ? size * (1 - given / made) : 0
    case "reduce-scatter": return made > 0 ? size * (given / made - 1) : 0
    case "all-reduce": return 2 * size * Double(devices - 1) / Double(devices)
    case "all-to-all": return size * Double(devices - 1) / Double(devices)
    case "collective-permute": return size
    default: return 0
    }
  }
}
