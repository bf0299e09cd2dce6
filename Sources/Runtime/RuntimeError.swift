import Foundation
import PJRT

/// What can go wrong when programs run, besides the plugin's errors.
public enum RuntimeError: Error, Equatable, CustomStringConvertible {
  /// A program does not fit into the device's memory: the compiler's memory plan, the device's
  /// bytes, and the plugin's message where the program was started.
  case outOfMemory(needed: ProgramMemory?, device: Int?, message: String?)

  /// What was found, what was expected and what to do.
  public var description: String {
    switch self {
    case .outOfMemory(let needed, let device, let message):
      let gigabytes = { (bytes: Int) in String(format: "%.2f GB", Double(bytes) / 1e9) }
      let plan = needed.map {
        " The program needs \(gigabytes($0.total)) on each device by the compiler's plan: "
          + "\(gigabytes($0.arguments)) for weights and state, "
          + "\(gigabytes($0.temporaries)) for gradients and activations."
      }
      let limit = device.map { " The device has \(gigabytes($0))." }
      return "The device is out of memory.\(plan ?? "")\(limit ?? "") \(Self.advice)"
        + (message.map { " (\($0))" } ?? "")
    }
  }

  /// How to reduce the memory that is needed.
  package static let advice =
    "Lower the batch, set model.execution to recomputed or precision to bf16, train LoRA, or "
    + "shard the run over more devices with mesh.fsdp; twinflow plan shows what each would need."

  /// Calls a function that runs a program, and adds the program's memory plan to an error of
  /// insufficient memory.
  package static func reportingMemory<Result>(
    of function: CompiledFunction, _ body: () throws -> Result
  ) throws -> Result {
    do {
      return try body()
    } catch PJRTError.failure(.resourceExhausted, let message, _) {
      let executable = function.executable
      let device = try? executable.client.memory(of: executable.devices[0])
      throw RuntimeError.outOfMemory(
        needed: executable.memory, device: device?.limit, message: message)
    }
  }
}
