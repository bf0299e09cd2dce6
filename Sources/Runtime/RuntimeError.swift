import Foundation
import PJRT

/// What can go wrong when programs run, besides the plugin's own errors.
public enum RuntimeError: Error, Equatable, CustomStringConvertible {
  /// A program does not fit into the device's memory; bytes of the compiler's plan and of the
  /// device, and the plugin's message if it got that far.
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

  /// How less memory is needed.
  package static let advice =
    "Lower the batch, set model.execution to recomputed or precision to bf16, train LoRA, or "
    + "spread the run over more devices with mesh.fsdp; twinflow plan shows what each would need."

  /// Calls a function that runs a program, and says what the program needs where the device has no
  /// room for it.
  package static func withMemoryTold<Result>(
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
