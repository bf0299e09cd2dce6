import ArgumentParser
import Files
import Foundation
import Pipelines

/// `twinflow models inspect`
struct InspectModels: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Shows what folders and files of weights hold, without reading the weights.",
    discussion: """
      Takes diffusers folders, folders of one network, and safetensors and GGUF files: networks, LoRA, and \
      what this program has written. For networks that are known, the memory that their weights take on a \
      device is shown: as they are stored, and with the matrices in 8 or 4 bits.

      EXAMPLE
        twinflow models inspect Qwen-Image qwen-image-Q4_K_M.gguf
      """)

  @Argument(help: "Folders and files of weights.", transform: pathOption)
  var paths: [String]

  func validate() throws {
    if paths.isEmpty { throw ValidationError("Name a folder or a file of weights.") }
  }

  func run() throws {
    for (number, path) in paths.enumerated() {
      if number > 0 { print("") }
      print(InspectionText(try WeightInspection(path), path).text)
    }
  }
}

/// The result of an inspection as text.
struct InspectionText {
  let inspection: WeightInspection
  let path: String

  init(_ inspection: WeightInspection, _ path: String) {
    (self.inspection, self.path) = (inspection, path)
  }

  /// The lines.
  var text: String {
    var lines = ["\(path): \(inspection.kind)"]
    for component in inspection.components { lines += self.lines(component) }
    if !inspection.others.isEmpty {
      lines.append("Beside them: \(inspection.others.joined(separator: ", "))")
    }
    if inspection.components.count > 1 { lines.append(total) }
    return lines.joined(separator: "\n")
  }

  private func lines(_ component: InspectedComponent) -> [String] {
    let title = [component.name, component.className ?? ""].filter { !$0.isEmpty }
    let what = title.isEmpty ? "a network that is not known" : title.joined(separator: ": ")
    let files = component.files == 1 ? "1 file" : "\(component.files) files"
    var lines = [
      "  \(what), \(Self.count(component.parameters)) parameters, "
        + "\(Self.gigabytes(component.bytes)) in \(files)"
    ]
    let forms = component.forms.map { form in
      "\(form.name) \(Self.gigabytes(form.bytes)) (\(form.arrays) array\(form.arrays == 1 ? "" : "s"))"
    }
    lines.append("    stored as " + forms.joined(separator: ", "))
    for finding in component.findings { lines.append("    \(finding)") }
    if let memory = component.memory {
      lines.append("    on a device: " + Self.memory(memory))
    }
    if let problem = component.problem { lines.append("    cannot be loaded: \(problem)") }
    return lines
  }

  private static func memory(_ memory: InspectedComponent.Memory) -> String {
    "\(gigabytes(memory.stored)) as it is stored, \(gigabytes(memory.int8)) with matrices in int8, "
      + "\(gigabytes(memory.int4)) in int4"
  }

  private var total: String {
    let bytes = inspection.components.reduce(0) { $0 + $1.bytes }
    let parameters = inspection.components.reduce(0) { $0 + $1.parameters }
    var line = "In all \(Self.count(parameters)) parameters, \(Self.gigabytes(bytes))"
    let known = inspection.components.compactMap(\.memory)
    guard known.count == inspection.components.count else { return line }
    let sum = { (part: (InspectedComponent.Memory) -> Int) in known.reduce(0) { $0 + part($1) } }
    line +=
      "; on a device: "
      + Self.memory(
        .init(stored: sum(\.stored), int8: sum(\.int8), int4: sum(\.int4)))
    return line
  }

  static func gigabytes(_ bytes: Int) -> String {
    switch bytes {
    case ..<1_000_000: String(format: "%.1f kB", Double(bytes) / 1e3)
    case ..<1_000_000_000: String(format: "%.1f MB", Double(bytes) / 1e6)
    default: String(format: "%.2f GB", Double(bytes) / 1e9)
    }
  }

  static func count(_ number: Int) -> String {
    switch number {
    case ..<1_000_000: "\(number)"
    case ..<1_000_000_000: String(format: "%.1f million", Double(number) / 1e6)
    default: String(format: "%.2f billion", Double(number) / 1e9)
    }
  }
}
