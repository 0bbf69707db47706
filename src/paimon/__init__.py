"""Operations backend of Paimon Prime Fund. Four floors: gateway, application, infrastructure, domain."""
