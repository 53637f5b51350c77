; The installer for Windows: scripts/dist.sh defines VERSION, WORK and WEBVIEW2.
; It installs for the user who runs it, and needs no rights beyond theirs.
Unicode true
SetCompressor /SOLID lzma
RequestExecutionLevel user
ManifestDPIAware true

!include MUI2.nsh
!include x64.nsh
!include WinVer.nsh
!include FileFunc.nsh

!define UNINSTALL "Software\Microsoft\Windows\CurrentVersion\Uninstall\Tailrace"
!define DATA "$LOCALAPPDATA\Tailrace"

Name "Tailrace"
OutFile "${WORK}\installer.exe"
InstallDir "$LOCALAPPDATA\Programs\Tailrace"
InstallDirRegKey HKCU "${UNINSTALL}" "InstallLocation"
BrandingText "Tailrace ${VERSION}"
ShowInstDetails show
ShowUninstDetails show

VIProductVersion "${VERSION}.0"
VIFileVersion "${VERSION}.0"
VIAddVersionKey CompanyName "The Tailrace authors"
VIAddVersionKey FileDescription "Tailrace Installer"
VIAddVersionKey FileVersion "${VERSION}"
VIAddVersionKey LegalCopyright "Copyright 2026 The Tailrace authors. Apache License 2.0."
VIAddVersionKey ProductName "Tailrace"
VIAddVersionKey ProductVersion "${VERSION}"

!define MUI_ICON "icon.ico"
!define MUI_UNICON "icon.ico"
!define MUI_ABORTWARNING
!define MUI_FINISHPAGE_RUN "$INSTDIR\Tailrace.exe"
!define MUI_FINISHPAGE_TEXT "Tailrace is installed. The command for terminals and scripts is $INSTDIR\bin\tailrace.exe; add that folder to your PATH if you want to type just tailrace."

!insertmacro MUI_PAGE_WELCOME
!insertmacro MUI_PAGE_LICENSE "..\..\LICENSE"
!insertmacro MUI_PAGE_DIRECTORY
!insertmacro MUI_PAGE_INSTFILES
!insertmacro MUI_PAGE_FINISH
!insertmacro MUI_UNPAGE_CONFIRM
!insertmacro MUI_UNPAGE_INSTFILES
!insertmacro MUI_LANGUAGE "English"

Function .onInit
  ${IfNot} ${AtLeastWin10}
    MessageBox MB_OK|MB_ICONSTOP "Tailrace needs Windows 10 or later." /SD IDOK
    SetErrorLevel 64
    Quit
  ${EndIf}
  ${IfNot} ${RunningX64}
    MessageBox MB_OK|MB_ICONSTOP "Tailrace needs 64-bit Windows." /SD IDOK
    SetErrorLevel 65
    Quit
  ${EndIf}
FunctionEnd

; The window is drawn by WebView2, which Windows 11 and most of Windows 10 have.
; Microsoft's bootstrapper fetches it where it is missing.
Section "-WebView2"
  SetRegView 64
  ReadRegStr $0 HKLM "SOFTWARE\WOW6432Node\Microsoft\EdgeUpdate\Clients\{F3017226-FE2A-4295-8BDF-00C3A9A7E4C5}" "pv"
  ${If} $0 == ""
    ReadRegStr $0 HKCU "Software\Microsoft\EdgeUpdate\Clients\{F3017226-FE2A-4295-8BDF-00C3A9A7E4C5}" "pv"
  ${EndIf}
  ${If} $0 == ""
  ${OrIf} $0 == "0.0.0.0"
    DetailPrint "Installing WebView2, which draws the window"
    InitPluginsDir
    SetOutPath "$PLUGINSDIR"
    File "${WEBVIEW2}"
    ExecWait '"$PLUGINSDIR\MicrosoftEdgeWebview2Setup.exe" /silent /install' $1
    ${If} $1 != 0
      DetailPrint "WebView2 was not installed ($1). Tailrace will offer it again; bin\tailrace.exe works without."
    ${EndIf}
  ${EndIf}
SectionEnd

Section "Tailrace"
  SetOutPath "$INSTDIR"
  ; A program that runs cannot be replaced.
  retry:
  ClearErrors
  File "/oname=Tailrace.exe" "${WORK}\Tailrace.exe"
  SetOutPath "$INSTDIR\bin"
  File "/oname=tailrace.exe" "${WORK}\tailrace-headless.exe"
  ${If} ${Errors}
    MessageBox MB_RETRYCANCEL|MB_ICONEXCLAMATION "Tailrace is running: close it, then try again." /SD IDCANCEL IDRETRY retry
    SetErrorLevel 66
    Abort
  ${EndIf}
  SetOutPath "$INSTDIR"
  File "/oname=LICENSE.txt" "..\..\LICENSE"
  File "/oname=third-party-licences.txt" "..\..\frontend\public\licences.txt"
  File "/oname=README.md" "..\..\README.md"
  SetOutPath "$INSTDIR\docs"
  File "..\..\docs\*.*"
  SetOutPath "$INSTDIR"
  CreateShortcut "$SMPROGRAMS\Tailrace.lnk" "$INSTDIR\Tailrace.exe"

  WriteUninstaller "$INSTDIR\uninstall.exe"
  SetRegView 64
  WriteRegStr HKCU "${UNINSTALL}" "DisplayName" "Tailrace"
  WriteRegStr HKCU "${UNINSTALL}" "DisplayVersion" "${VERSION}"
  WriteRegStr HKCU "${UNINSTALL}" "DisplayIcon" "$INSTDIR\Tailrace.exe"
  WriteRegStr HKCU "${UNINSTALL}" "Publisher" "The Tailrace authors"
  WriteRegStr HKCU "${UNINSTALL}" "InstallLocation" "$INSTDIR"
  WriteRegStr HKCU "${UNINSTALL}" "UninstallString" '"$INSTDIR\uninstall.exe"'
  WriteRegStr HKCU "${UNINSTALL}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
  WriteRegDWORD HKCU "${UNINSTALL}" "NoModify" 1
  WriteRegDWORD HKCU "${UNINSTALL}" "NoRepair" 1
  ${GetSize} "$INSTDIR" "/S=0K" $0 $1 $2
  IntFmt $0 "0x%08X" $0
  WriteRegDWORD HKCU "${UNINSTALL}" "EstimatedSize" "$0"
SectionEnd

Section "Uninstall"
  ; By name: the folder may have been chosen, and hold what is not ours.
  Delete "$INSTDIR\Tailrace.exe"
  Delete "$INSTDIR\bin\tailrace.exe"
  RMDir "$INSTDIR\bin"
  Delete "$INSTDIR\LICENSE.txt"
  Delete "$INSTDIR\third-party-licences.txt"
  Delete "$INSTDIR\README.md"
  Delete "$INSTDIR\docs\*.md"
  Delete "$INSTDIR\docs\*.png"
  RMDir "$INSTDIR\docs"
  Delete "$INSTDIR\uninstall.exe"
  RMDir "$INSTDIR"
  Delete "$SMPROGRAMS\Tailrace.lnk"
  SetRegView 64
  DeleteRegKey HKCU "${UNINSTALL}"
  DetailPrint "Streams and settings stay in ${DATA} and $APPDATA\tailrace."
  MessageBox MB_OK|MB_ICONINFORMATION "Tailrace is removed. Your streams and settings stay:$\r$\n$\r$\n${DATA}$\r$\n$APPDATA\tailrace" /SD IDOK
SectionEnd
